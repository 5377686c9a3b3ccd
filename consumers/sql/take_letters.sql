-- The next of a selection, with their bytes, locked until they are closed; what somebody else is at is left.
SELECT id, stage, source, origin_topic, redrives, key, value, header_names, header_values
FROM dead_letters
WHERE state = ANY (%(states)s::text[])
  AND (%(ids)s::bigint[] IS NULL OR id = ANY (%(ids)s))
  AND (%(reasons)s::text[] IS NULL OR reason = ANY (%(reasons)s))
  AND (%(sources)s::text[] IS NULL OR source = ANY (%(sources)s))
  AND (%(since)s::timestamptz IS NULL OR failed_at >= %(since)s)
  AND id > %(after)s
  AND id <= %(last)s
ORDER BY id
LIMIT %(limit)s
FOR UPDATE SKIP LOCKED
