-- Live rows whose state comes from where nothing can be read any more, or from another topic: there their
-- fold starts.
INSERT INTO {shadow}.sessions
SELECT l.*
FROM {live}.sessions AS l
LEFT JOIN unnest(%(held)s::integer[], %(begins)s::bigint[], %(ends)s::bigint[]) AS f (partition, first, behind)
  ON f.partition = l.kafka_partition AND l.kafka_offset >= f.first AND l.kafka_offset < f.behind
WHERE l.kafka_topic_id <> %(topic_id)s OR f.first IS NULL
