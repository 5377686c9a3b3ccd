-- How many live rows come from before the log's begin, or from another topic.
SELECT count(*)
FROM {live}.sessions AS l
LEFT JOIN unnest(%(partitions)s::integer[], %(firsts)s::bigint[]) AS f (partition, first)
  ON f.partition = l.kafka_partition
WHERE l.kafka_topic_id <> %(topic_id)s OR f.first IS NULL OR l.kafka_offset < f.first
