-- A page of a selection, oldest first, without the bytes.
SELECT id, state, stage, reason, detail, source, tenant, origin_topic, origin_partition, origin_offset,
       redrives, failed_at, changed_at, length(value) AS value_bytes
FROM dead_letters
WHERE state = ANY (%(states)s::text[])
  AND (%(ids)s::bigint[] IS NULL OR id = ANY (%(ids)s))
  AND (%(reasons)s::text[] IS NULL OR reason = ANY (%(reasons)s))
  AND (%(sources)s::text[] IS NULL OR source = ANY (%(sources)s))
  AND (%(since)s::timestamptz IS NULL OR failed_at >= %(since)s)
  AND id > %(after)s
ORDER BY id
LIMIT %(limit)s
