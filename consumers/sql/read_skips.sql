-- The records that an operator has told the sinks to step over, `dead-letters park`.
SELECT origin_topic_id, origin_partition, origin_offset
FROM dead_letters
WHERE state = 'skip' AND origin_partition = ANY (%(partitions)s)
