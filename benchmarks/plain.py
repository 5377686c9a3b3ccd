"""The plain statement: what somebody would write who only wants the newest state, and nothing else kept.

The 18 columns that the narrow rows fill and `created_at`, keyed by the session's id alone, one index beside
the key; the newest sequence wins. No order that does not depend on arrival, no memory of applied events.
"""

from typing import Final

from psycopg import sql

COLUMNS: Final = (
    "tenant",
    "source",
    "session_id",
    "user_id",
    "event_id",
    "type",
    "sequence",
    "occurred_at",
    "received_at",
    "normaliser",
    "session_start_time",
    "sleep_stages",
    "epoch_seconds",
    "attributes",
    "kafka_topic_id",
    "kafka_partition",
    "kafka_offset",
    "applied_event_ids",
)
_NAMES: Final = sql.SQL(", ").join(map(sql.Identifier, COLUMNS))

CREATE: Final = (
    sql.SQL("CREATE TABLE plain_sessions AS SELECT {}, created_at FROM sessions WITH NO DATA").format(_NAMES),
    sql.SQL("ALTER TABLE plain_sessions ALTER created_at SET DEFAULT now(), ADD PRIMARY KEY (session_id)"),
    sql.SQL("CREATE INDEX ON plain_sessions (user_id, session_start_time DESC)"),
)
CREATE_STAGE: Final = sql.SQL(
    "CREATE TEMPORARY TABLE plain_stage ON COMMIT DELETE ROWS AS SELECT {} FROM sessions WITH NO DATA"
).format(_NAMES)
COPY: Final = sql.SQL("COPY plain_stage ({}) FROM STDIN (FORMAT BINARY)").format(_NAMES)
UPSERT: Final = sql.SQL(
    "INSERT INTO plain_sessions ({names}) SELECT {names} FROM plain_stage "
    "ON CONFLICT (session_id) DO UPDATE SET {settings} WHERE excluded.sequence >= plain_sessions.sequence"
).format(
    names=_NAMES,
    settings=sql.SQL(", ").join(
        sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in COLUMNS if name != "session_id"
    ),
)
