-- The triggers that fire before a row of the live table is written, as statements that make them of whichever
-- `sessions` comes first in the search path.
SELECT pg_get_triggerdef(oid, true)
FROM pg_trigger
WHERE tgrelid = (quote_ident(%(schema)s) || '.sessions')::regclass AND NOT tgisinternal
  AND tgenabled IN ('O', 'A')
  AND tgtype & 3 = 3 -- each row, before
ORDER BY tgname
