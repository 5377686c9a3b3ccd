-- The columns of the live table, in order.
SELECT attname::text
FROM pg_attribute
WHERE attrelid = (quote_ident(%(schema)s) || '.sessions')::regclass AND attnum > 0 AND NOT attisdropped
ORDER BY attnum
