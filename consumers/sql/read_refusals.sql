-- What hangs on the live table and is not taken along by a swap, as Postgres describes it.
-- What is of the type of its rows, such as a function's argument, hangs on it too.
WITH live AS (
    SELECT oid, reltype, (SELECT typarray FROM pg_type WHERE pg_type.oid = reltype) AS reltypes
    FROM pg_class WHERE oid = (quote_ident(%(schema)s) || '.sessions')::regclass
)
SELECT DISTINCT pg_describe_object(d.classid, d.objid, 0)
FROM pg_depend AS d
JOIN live
  ON d.refclassid = 'pg_class'::regclass AND d.refobjid = live.oid
  OR d.refclassid = 'pg_type'::regclass AND d.refobjid IN (live.reltype, live.reltypes)
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
