-- Only one process is at what was asked; the same options in another order are the same.
SELECT pg_try_advisory_lock(hashtextextended(%(asked)s::jsonb::text, %(class)s)) AS locked
