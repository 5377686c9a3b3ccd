-- No row is read: the index is there. Sinks of the former version name the key's columns, so they go on meanwhile.
ALTER TABLE sessions
    DROP CONSTRAINT sessions_pkey,
    ADD CONSTRAINT sessions_pkey PRIMARY KEY USING INDEX sessions_key;
