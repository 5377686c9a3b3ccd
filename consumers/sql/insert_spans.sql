-- What can be read when the fold begins.
INSERT INTO {shadow}.spans
SELECT * FROM unnest(%(held)s::integer[], %(begins)s::bigint[], %(ends)s::bigint[])
