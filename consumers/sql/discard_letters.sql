-- Close a selection: nobody will send these again.
UPDATE dead_letters
SET state = 'discarded', changed_at = now()
WHERE state = ANY (%(states)s::text[])
  AND (%(ids)s::bigint[] IS NULL OR id = ANY (%(ids)s))
  AND (%(reasons)s::text[] IS NULL OR reason = ANY (%(reasons)s))
  AND (%(sources)s::text[] IS NULL OR source = ANY (%(sources)s))
  AND (%(since)s::timestamptz IS NULL OR failed_at >= %(since)s)
  AND id > %(after)s
