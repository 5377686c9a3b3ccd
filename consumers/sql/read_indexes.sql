-- The other indexes of the live table; to a search path with its schema first their tables are told bare.
SELECT c.relname::text, pg_get_indexdef(i.indexrelid, 0, true)
FROM pg_index AS i
JOIN pg_class AS c ON c.oid = i.indexrelid
WHERE i.indrelid = (quote_ident(%(schema)s) || '.sessions')::regclass
  AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = i.indexrelid AND conrelid = i.indrelid)
ORDER BY c.relname
