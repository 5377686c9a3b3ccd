-- Remove some of the dead letters that were closed long ago; several sinks at once take different ones.
DELETE FROM dead_letters
WHERE id IN (
    SELECT id
    FROM dead_letters
    WHERE state IN ('redriven', 'discarded') AND changed_at < now() - %(keep_days)s * interval '1 day'
    LIMIT 1000
    FOR UPDATE SKIP LOCKED
)
