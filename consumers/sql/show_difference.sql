-- Some examples of each kind, with what both tables say where that is wanted.
SELECT d.kind, d.tenant, d.source, d.session_id, d.columns,
       CASE WHEN %(show_values)s THEN to_jsonb(l) END, CASE WHEN %(show_values)s THEN to_jsonb(s) END
FROM (
    SELECT *, row_number() OVER (PARTITION BY kind ORDER BY tenant, source, session_id) AS number
    FROM pg_temp.difference
) AS d
LEFT JOIN {live}.sessions AS l
  ON (l.tenant, l.source, l.session_id) = (d.tenant, d.source, d.session_id)
LEFT JOIN {shadow}.sessions AS s
  ON (s.tenant, s.source, s.session_id) = (d.tenant, d.source, d.session_id)
WHERE d.number <= %(most)s
ORDER BY d.kind, d.number
