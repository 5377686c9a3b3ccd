-- What version 2 of the event tells besides. Sinks of version 1 name their columns, so they go on meanwhile.

ALTER TABLE sessions ADD COLUMN utc_offset_seconds integer;

COMMENT ON COLUMN sessions.utc_offset_seconds IS
    'Seconds that the sleeper''s clock was ahead of UTC when the session began.';
