-- What was read again from the log: one row a replay, from which one that was interrupted goes on.

CREATE TABLE replays (
    id                   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind                 text NOT NULL CHECK (kind IN ('topic', 'rebuild')),
    state                text NOT NULL DEFAULT 'unfinished' CHECK (state IN ('unfinished', 'done', 'cancelled')),
    phase                text NOT NULL,
    asked                jsonb NOT NULL,
    origin_topic         text NOT NULL,
    origin_topic_id      uuid NOT NULL,
    partitions           integer[] NOT NULL,
    begins               bigint[] NOT NULL,
    ends                 bigint[] NOT NULL,
    next_offsets         bigint[] NOT NULL,
    figures              jsonb NOT NULL DEFAULT '{}',
    created_at           timestamptz NOT NULL DEFAULT now(),
    changed_at           timestamptz NOT NULL DEFAULT now()
);

COMMENT ON COLUMN replays.asked IS 'The options as they were typed: the same ones go on with an unfinished replay.';
COMMENT ON COLUMN replays.next_offsets IS 'By partition, as begins and ends: what lies before is done.';
COMMENT ON COLUMN replays.figures IS 'Counts of what became of the records.';
