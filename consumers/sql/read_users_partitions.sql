-- The partitions that a user's rows were read from.
SELECT DISTINCT kafka_partition FROM sessions WHERE user_id = %(user_id)s AND kafka_topic_id = %(topic_id)s
