-- All of one dead letter.
SELECT id, state, stage, reason, detail, source, tenant, origin_topic, origin_topic_id, origin_partition,
       origin_offset, redrives, failed_at, changed_at, key, value, header_names, header_values
FROM dead_letters
WHERE id = %(id)s
