-- Note a replay that begins.
INSERT INTO replays (kind, phase, asked, origin_topic, origin_topic_id, partitions, begins, ends, next_offsets)
VALUES (
    %(kind)s, %(phase)s, %(asked)s::jsonb, %(topic)s, %(topic_id)s,
    %(partitions)s::integer[], %(begins)s::bigint[], %(ends)s::bigint[], %(begins)s::bigint[]
)
RETURNING id
