-- The next process may be.
SELECT pg_advisory_unlock(hashtextextended(%(asked)s::jsonb::text, %(class)s))
