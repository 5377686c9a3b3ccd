-- The triggers of the live table, as statements that make them again.
SELECT pg_get_triggerdef(oid)
FROM pg_trigger
WHERE tgrelid = (quote_ident(%(schema)s) || '.sessions')::regclass AND NOT tgisinternal
ORDER BY tgname
