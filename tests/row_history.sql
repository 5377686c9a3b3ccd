-- What tests/row_history.py puts into a database of the tests': every state that a row ever had.
CREATE TABLE session_history (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant text NOT NULL, source text NOT NULL, session_id text NOT NULL,
    rank integer NOT NULL, sequence bigint NOT NULL, occurred_at timestamptz NOT NULL,
    received_at timestamptz NOT NULL, normaliser integer NOT NULL, event_id uuid NOT NULL
);
CREATE FUNCTION note_session() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO session_history (tenant, source, session_id, rank, sequence, occurred_at, received_at, normaliser, event_id)
    VALUES (new.tenant, new.source, new.session_id,
        array_position(ARRAY['SESSION_STARTED', 'INFERENCE_COMPLETE', 'SESSION_FAILED', 'SESSION_COMPLETE', 'SESSION_DELETED'], new.type),
        new.sequence,
        CASE WHEN new.occurred_at > new.received_at + interval '24 hours' THEN 'epoch' ELSE new.occurred_at END,
        new.received_at, new.normaliser, new.event_id);
    RETURN NULL;
END $$;
CREATE TRIGGER note_session AFTER INSERT OR UPDATE ON sessions FOR EACH ROW EXECUTE FUNCTION note_session();

CREATE TABLE offset_history (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    consumer_group text NOT NULL, topic text NOT NULL, partition integer NOT NULL, topic_id uuid NOT NULL,
    next_offset bigint NOT NULL, first_offset bigint NOT NULL, advanced bigint NOT NULL, outcomes bigint NOT NULL
);
CREATE FUNCTION note_offset() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO offset_history (consumer_group, topic, partition, topic_id, next_offset, first_offset, advanced, outcomes)
    VALUES (new.consumer_group, new.topic, new.partition, new.topic_id, new.next_offset, new.first_offset,
        new.next_offset - new.first_offset - new.gaps,
        new.written + new.duplicate + new.stale + new.passed + new.parked + new.erased);
    PERFORM pg_notify('advanced', new.topic || ' ' || new.partition || ' ' || new.next_offset);
    RETURN NULL;
END $$;
CREATE TRIGGER note_offset AFTER INSERT OR UPDATE ON consumer_offsets FOR EACH ROW EXECUTE FUNCTION note_offset();
