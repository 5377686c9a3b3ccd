-- Lock these sessions until COMMIT and say where in the log their states came from: what a batch was folded
-- onto must still be so. This comes after COPY, so that nobody waits for a client that is frozen in there.
SELECT k.position, s.kafka_topic_id, s.kafka_partition, s.kafka_offset
FROM unnest(%(tenants)s::text[], %(sources)s::text[], %(session_ids)s::text[])
     WITH ORDINALITY AS k (tenant, source, session_id, position)
CROSS JOIN LATERAL (
    SELECT kafka_topic_id, kafka_partition, kafka_offset
    FROM sessions
    WHERE tenant = k.tenant AND source = k.source AND session_id = k.session_id
    OFFSET 0
    FOR UPDATE
) AS s
ORDER BY k.position
