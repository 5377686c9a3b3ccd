-- The newest dead letter: what is parked from now on is behind it.
SELECT coalesce(max(id), 0) FROM dead_letters
