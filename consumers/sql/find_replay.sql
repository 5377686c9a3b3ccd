-- The replay of these very options that has not ended.
SELECT id, phase, origin_topic_id, partitions, begins, ends, next_offsets, figures
FROM replays
WHERE state = 'unfinished' AND asked = %(asked)s::jsonb
ORDER BY id DESC
LIMIT 1
