-- Mark the staged events of these places in the log as those that the next upsert takes.
UPDATE stage AS s
SET folded = true
FROM unnest(%(partitions)s::integer[], %(offsets)s::bigint[]) AS p (kafka_partition, kafka_offset)
WHERE s.kafka_partition = p.kafka_partition AND s.kafka_offset = p.kafka_offset
