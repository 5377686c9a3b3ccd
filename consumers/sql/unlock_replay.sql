-- The next process may be.
SELECT pg_advisory_unlock(%(class)s, %(id)s::integer)
