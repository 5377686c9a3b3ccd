-- The staged events of keys that came once and that the upsert left out: is each a duplicate of what its
-- row remembers, or stale? The upsert has just written a row if it holds the event's own place in the log
-- and this transaction's time; the place alone does not tell when a cut log is read again.
SELECT st.kafka_partition, s.duplicate, count(*)
FROM stage AS st
CROSS JOIN LATERAL (
    SELECT st.event_id = ANY (applied_event_ids) AS duplicate,
           kafka_topic_id, kafka_partition, kafka_offset, updated_at
    FROM sessions
    WHERE tenant = st.tenant AND source = st.source AND session_id = st.session_id
    OFFSET 0
) AS s
WHERE NOT st.folded
  AND (s.kafka_topic_id, s.kafka_partition, s.kafka_offset, s.updated_at)
      <> (st.kafka_topic_id, st.kafka_partition, st.kafka_offset, now())
GROUP BY 1, 2
