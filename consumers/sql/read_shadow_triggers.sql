-- Statements that remove the shadow's triggers, in whose place come those that the live table has now.
SELECT format('DROP TRIGGER %%I ON %%I.sessions', tgname, %(shadow)s::text)
FROM pg_trigger
WHERE tgrelid = (quote_ident(%(shadow)s) || '.sessions')::regclass AND NOT tgisinternal
