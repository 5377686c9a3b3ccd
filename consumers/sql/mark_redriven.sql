-- These were sent again, and Kafka has acknowledged it.
UPDATE dead_letters
SET state = 'redriven', redrives = redrives + 1, changed_at = now()
WHERE id = ANY (%(ids)s)
