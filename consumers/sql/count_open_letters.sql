-- How many dead letters wait for somebody.
SELECT count(*) FROM dead_letters WHERE state = 'open'
