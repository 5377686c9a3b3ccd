-- What decides about the next event of these sessions, and where in the log that came from. The lateral subquery keeps
-- its OFFSET 0 so that each key is looked up by the primary key, whatever the planner thinks of unnest. A time more than
-- 24 hours after its own arrival counts as none told, as in state_order.sql.
SELECT k.position, s.kafka_topic_id, s.kafka_partition, s.kafka_offset,
       s.type, s.sequence, s.occurred_us, s.received_us, s.normaliser, s.event_id, s.applied
FROM unnest(%(tenants)s::text[], %(sources)s::text[], %(session_ids)s::text[])
     WITH ORDINALITY AS k (tenant, source, session_id, position)
CROSS JOIN LATERAL (
    SELECT kafka_topic_id, kafka_partition, kafka_offset, type, sequence, normaliser, event_id::text AS event_id, applied_event_ids::text[] AS applied,
           CASE WHEN occurred_at > received_at + interval '24 hours' THEN 0
                ELSE (extract(epoch FROM occurred_at) * 1000000)::bigint END AS occurred_us,
           (extract(epoch FROM received_at) * 1000000)::bigint AS received_us
    FROM sessions
    WHERE tenant = k.tenant AND source = k.source AND session_id = k.session_id
    OFFSET 0
) AS s
ORDER BY k.position
