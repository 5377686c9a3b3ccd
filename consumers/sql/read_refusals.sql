-- What hangs on the live table and is not taken along by a swap, as Postgres describes it.
WITH live AS (SELECT (quote_ident(%(schema)s) || '.sessions')::regclass::oid AS oid)
SELECT DISTINCT pg_describe_object(d.classid, d.objid, 0)
FROM pg_depend AS d
JOIN live ON d.refobjid = live.oid AND d.refclassid = 'pg_class'::regclass
LEFT JOIN pg_class AS c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid
LEFT JOIN pg_constraint AS k ON d.classid = 'pg_constraint'::regclass AND k.oid = d.objid
LEFT JOIN pg_trigger AS t ON d.classid = 'pg_trigger'::regclass AND t.oid = d.objid
LEFT JOIN pg_rewrite AS r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
LEFT JOIN pg_class AS v ON v.oid = r.ev_class
WHERE d.deptype <> 'i'
  AND NOT coalesce(c.relkind IN ('i', 't'), false)
  AND NOT coalesce(k.conrelid = live.oid AND k.contype <> 'f', false)
  AND NOT coalesce(t.tgrelid = live.oid AND (t.tgisinternal OR t.tgenabled = 'O'), false)
  AND NOT coalesce(v.relkind = 'v', false)
  AND d.classid NOT IN ('pg_attrdef'::regclass, 'pg_statistic_ext'::regclass)
UNION ALL
SELECT 'row level security' FROM pg_class JOIN live USING (oid) WHERE relrowsecurity
UNION ALL
SELECT 'being a partition or a parent' FROM pg_class JOIN live USING (oid) WHERE relispartition OR relkind = 'p'
