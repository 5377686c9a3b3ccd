-- Store a record that the sinks are to step over; one that was parked before is only marked.
INSERT INTO dead_letters (
    state, stage, reason, detail, source, tenant, origin_topic, origin_topic_id, origin_partition, origin_offset,
    value_sha256, key, value, header_names, header_values, redrives, failed_at
)
VALUES (
    'skip', %(stage)s, %(reason)s, %(detail)s, %(source)s, %(tenant)s, %(origin_topic)s, %(origin_topic_id)s,
    %(origin_partition)s, %(origin_offset)s, %(value_sha256)s, %(key)s, %(value)s,
    %(header_names)s::text[], %(header_values)s::bytea[], %(redrives)s, %(failed_at)s
)
ON CONFLICT (origin_topic_id, origin_partition, origin_offset, value_sha256)
DO UPDATE SET state = 'skip', changed_at = now()
RETURNING id
