-- Note how far a replay is; no row if it has ended in the meantime.
UPDATE replays
SET phase = %(phase)s,
    state = %(state)s,
    next_offsets = coalesce(%(next_offsets)s::bigint[], next_offsets),
    figures = coalesce(%(figures)s::jsonb, figures),
    changed_at = now()
WHERE id = %(id)s AND state = 'unfinished'
