-- The fold begins where the log does.
INSERT INTO {shadow}.consumer_offsets (consumer_group, topic, partition, topic_id, next_offset, first_offset)
SELECT %(group)s, %(topic)s, f.partition, %(topic_id)s, f.first, f.first
FROM unnest(%(partitions)s::integer[], %(firsts)s::bigint[]) AS f (partition, first)
