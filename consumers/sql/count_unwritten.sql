-- The staged events of keys that came once and that the upsert left out: is each a duplicate of what its row remembers, or stale?
SELECT st.kafka_partition, s.duplicate, count(*)
FROM stage AS st
CROSS JOIN LATERAL (
    SELECT st.event_id = ANY (applied_event_ids) AS duplicate, kafka_topic_id, kafka_partition, kafka_offset
    FROM sessions
    WHERE tenant = st.tenant AND source = st.source AND session_id = st.session_id
    OFFSET 0
) AS s
WHERE NOT st.folded
  AND (s.kafka_topic_id, s.kafka_partition, s.kafka_offset)
      <> (st.kafka_topic_id, st.kafka_partition, st.kafka_offset)
GROUP BY 1, 2
