-- Only one process is at a replay.
SELECT pg_try_advisory_lock(%(class)s, %(id)s::integer) AS locked
