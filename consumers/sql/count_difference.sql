-- How many rows of each kind.
SELECT kind, count(*) FROM pg_temp.difference GROUP BY 1
