-- The constraints of the live table that rest on an index.
SELECT conname::text, pg_get_constraintdef(oid)
FROM pg_constraint
WHERE conrelid = (quote_ident(%(schema)s) || '.sessions')::regclass AND contype IN ('p', 'u', 'x')
ORDER BY conname
