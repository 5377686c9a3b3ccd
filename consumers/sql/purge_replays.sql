-- Remove some of the replays that ended long ago, unless a table of theirs is still there; several sinks at
-- once take different ones.
DELETE FROM replays
WHERE id IN (
    SELECT id
    FROM replays
    WHERE state IN ('done', 'cancelled') AND changed_at < now() - %(keep_days)s * interval '1 day'
      AND to_regnamespace('rebuild_' || id) IS NULL AND to_regnamespace('replaced_' || id) IS NULL
    LIMIT 1000
    FOR UPDATE SKIP LOCKED
)
