-- How many rows differ in each column.
SELECT name, count(*) FROM pg_temp.difference, unnest(columns) AS name GROUP BY 1 ORDER BY 2 DESC, 1
