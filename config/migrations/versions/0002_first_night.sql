-- What the sink writes: one row a session, and how far each partition of the log has been applied.

CREATE TABLE sessions (
    tenant               text COLLATE "C" NOT NULL,
    source               text COLLATE "C" NOT NULL,
    session_id           text COLLATE "C" NOT NULL,
    user_id              text COLLATE "C" NOT NULL,
    event_id             uuid NOT NULL,
    type                 text NOT NULL,
    sequence             bigint NOT NULL,
    occurred_at          timestamptz NOT NULL,
    received_at          timestamptz NOT NULL,
    normaliser           integer NOT NULL,
    session_start_time   timestamptz,
    session_end_time     timestamptz,
    timezone             text,
    sleep_stages         bytea,
    epoch_seconds        integer NOT NULL,
    time_in_bed          double precision,
    time_in_sleep        double precision,
    time_in_wake         double precision,
    time_in_light        double precision,
    time_in_deep         double precision,
    time_in_rem          double precision,
    sleep_latency        double precision,
    sleep_efficiency     double precision,
    waso_count           bigint,
    statistics           jsonb,
    attributes           jsonb NOT NULL,
    kafka_topic_id       uuid NOT NULL,
    kafka_partition      integer NOT NULL,
    kafka_offset         bigint NOT NULL,
    applied_event_ids    uuid[] NOT NULL,
    created_at           timestamptz NOT NULL DEFAULT now(),
    updated_at           timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant, source, session_id)
);

COMMENT ON TABLE sessions IS 'The winning state of each session; replaced whole, never merged.';
COMMENT ON COLUMN sessions.sleep_stages IS 'One byte an epoch: 0 wake, 1 light, 2 deep, 3 REM, 255 none.';
COMMENT ON COLUMN sessions.statistics IS 'The figures that have no column of their own.';
COMMENT ON COLUMN sessions.applied_event_ids IS 'The last 16 events that were written, oldest first.';

CREATE INDEX sessions_user ON sessions (user_id, session_start_time DESC);
CREATE INDEX sessions_created ON sessions (created_at);

-- The one truth about progress: advanced in the transaction that applies the records. For every row,
-- written + duplicate + stale + passed + parked + erased = next_offset - first_offset - gaps.
CREATE TABLE consumer_offsets (
    consumer_group       text NOT NULL,
    topic                text NOT NULL,
    partition            integer NOT NULL,
    topic_id             uuid NOT NULL,
    next_offset          bigint NOT NULL,
    first_offset         bigint NOT NULL,
    gaps                 bigint NOT NULL DEFAULT 0,
    written              bigint NOT NULL DEFAULT 0,
    duplicate            bigint NOT NULL DEFAULT 0,
    stale                bigint NOT NULL DEFAULT 0,
    passed               bigint NOT NULL DEFAULT 0,
    parked               bigint NOT NULL DEFAULT 0,
    erased               bigint NOT NULL DEFAULT 0,
    updated_at           timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (consumer_group, topic, partition)
);
