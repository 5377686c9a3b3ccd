-- The states of those of these dead letters that there are.
SELECT id, state FROM dead_letters WHERE id = ANY (%(ids)s::bigint[])
