-- How many rows a swap would turn back.
SELECT count(*) FROM pg_temp.difference WHERE turned_back
