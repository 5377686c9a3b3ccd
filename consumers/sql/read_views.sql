-- The views that read the live table: their options, their names, what they say. Those that read such views keep
-- reading them. Names are told in full, as nothing is in the search path here but what is Postgres' own.
SELECT CASE WHEN v.reloptions IS NULL THEN '' ELSE 'WITH (' || array_to_string(v.reloptions, ', ') || ')' END,
       format('%%I.%%I', n.nspname, v.relname),
       pg_get_viewdef(v.oid)
FROM pg_class AS v
JOIN pg_namespace AS n ON n.oid = v.relnamespace
WHERE v.relkind = 'v' AND v.oid IN (
    SELECT r.ev_class
    FROM pg_depend AS d
    JOIN pg_rewrite AS r ON r.oid = d.objid
    WHERE d.classid = 'pg_rewrite'::regclass AND d.refclassid = 'pg_class'::regclass
      AND d.refobjid = (quote_ident(%(schema)s) || '.sessions')::regclass
)
ORDER BY 2
