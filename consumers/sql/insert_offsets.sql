-- The fence for partitions that had no row when they were assigned: whoever finds a row now has lost.
INSERT INTO consumer_offsets (consumer_group, topic, partition, topic_id, next_offset, first_offset)
SELECT %(group)s, %(topic)s, p.partition, p.topic_id, p.first_offset, p.first_offset
FROM unnest(%(partitions)s::integer[], %(topic_ids)s::uuid[], %(first_offsets)s::bigint[])
     AS p (partition, topic_id, first_offset)
ORDER BY p.partition
ON CONFLICT DO NOTHING
