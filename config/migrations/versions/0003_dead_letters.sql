-- What can't be stored as it is, with its own bytes: projected from the dead-letter topic by the sinks, or
-- put here by `dead-letters park`. Only commands change a state.

CREATE TABLE dead_letters (
    id                   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    state                text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'redriven', 'discarded', 'skip')),
    stage                text NOT NULL,
    reason               text NOT NULL,
    detail               text NOT NULL,
    source               text,
    tenant               text,
    origin_topic         text NOT NULL,
    origin_topic_id      uuid NOT NULL,
    origin_partition     integer NOT NULL,
    origin_offset        bigint NOT NULL,
    value_sha256         bytea NOT NULL,
    key                  bytea,
    value                bytea,
    header_names         text[] NOT NULL,
    header_values        bytea[] NOT NULL,
    redrives             integer NOT NULL,
    failed_at            timestamptz NOT NULL,
    kafka_topic_id       uuid,
    kafka_partition      integer,
    kafka_offset         bigint,
    created_at           timestamptz NOT NULL DEFAULT now(),
    changed_at           timestamptz NOT NULL DEFAULT now(),
    UNIQUE (origin_topic_id, origin_partition, origin_offset, value_sha256)
);

COMMENT ON COLUMN dead_letters.stage IS 'Who gave up: relay, sink, or operator for what was skipped by hand.';
COMMENT ON COLUMN dead_letters.origin_offset IS 'Of the record that failed; of the dead letter itself where it has no other origin.';
COMMENT ON COLUMN dead_letters.redrives IS 'How often the record has been sent again so far.';
COMMENT ON COLUMN dead_letters.kafka_offset IS 'Of the dead letter; none for what was skipped by hand.';

CREATE INDEX dead_letters_open ON dead_letters (id) WHERE state = 'open';
CREATE INDEX dead_letters_skipped ON dead_letters (origin_topic_id, origin_partition) WHERE state = 'skip';
CREATE INDEX dead_letters_closed ON dead_letters (changed_at) WHERE state IN ('redriven', 'discarded');
