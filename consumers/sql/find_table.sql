-- The table or index of this name in a schema, if there is one.
SELECT to_regclass(quote_ident(%(schema)s) || '.' || quote_ident(%(name)s))
