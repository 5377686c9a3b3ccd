-- End a replay that has not ended; whoever is at it stops at the next note.
UPDATE replays SET state = 'cancelled', changed_at = now() WHERE id = %(id)s AND state = 'unfinished'
