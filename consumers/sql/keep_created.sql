-- A row that was there keeps the time at which it came; only what was written since the last time is looked at.
UPDATE {shadow}.sessions AS s
SET created_at = l.created_at
FROM {live}.sessions AS l
WHERE (s.tenant, s.source, s.session_id) = (l.tenant, l.source, l.session_id)
  AND s.created_at <> l.created_at
  AND s.created_at >= coalesce(%(since)s::timestamptz, '-infinity')
