"""Every statement that the sink runs, read once from `sql/`: a missing file fails the start."""

from importlib.resources import files
from typing import Final

from psycopg import sql

from consumers.letters import Letter
from consumers.rows import COLUMNS


def _load(name: str) -> sql.SQL:
    text = (files("consumers") / "sql" / f"{name}.sql").read_text("utf-8")
    return sql.SQL(text)  # committed and reviewed by us, so vouched for


_STATE_ORDER: Final = _load("state_order")


def state_order(table: str) -> sql.Composed:
    """By what the states of a session are compared, as a row of values: the greater one wins.

    Args:
        table: Whose columns are meant: a table's name or its alias in the statement.
    """
    return _STATE_ORDER.format(state=sql.Identifier(table))


CREATE_STAGE: Final = _load("create_stage")
EMPTY_STAGE: Final = _load("empty_stage")
SET_SESSION: Final = _load("set_session")
SET_TIMEOUTS: Final = _load("set_timeouts")
READ_OFFSETS: Final = _load("read_offsets")
TOUCH_OFFSETS: Final = _load("touch_offsets")
READ_STATES: Final = _load("read_states")
LOCK_STATES: Final = _load("lock_states")
INSERT_OFFSETS: Final = _load("insert_offsets")
FENCE_OFFSETS: Final = _load("fence_offsets")
UPSERT_SESSIONS: Final = _load("upsert_sessions").format(
    order_of_staged=state_order("excluded"), order_of_row=state_order("sessions")
)
UPSERT_AND_TELL: Final = sql.SQL(
    "WITH written AS ({} RETURNING (xmax = 0) AS inserted) SELECT inserted, count(*) FROM written GROUP BY 1"
).format(UPSERT_SESSIONS)
"""The same, and how many rows were new and how many were replaced: a tenth dearer, so only where needed."""
COUNT_UNWRITTEN: Final = _load("count_unwritten")
MARK_STAGED: Final = _load("mark_staged")
UNSTAGE_MARKED: Final = _load("unstage_marked")
CHECK_NOW: Final = _load("check_now")
CREATE_LETTER_STAGE: Final = _load("create_letter_stage")
INSERT_LETTERS: Final = _load("insert_letters")
READ_SKIPS: Final = _load("read_skips")
INSERT_SKIP: Final = _load("insert_skip")
FIND_LETTERS: Final = _load("find_letters")
LAST_LETTER: Final = _load("last_letter")
COUNT_LETTERS: Final = _load("count_letters")
LIST_LETTERS: Final = _load("list_letters")
SHOW_LETTER: Final = _load("show_letter")
TAKE_LETTERS: Final = _load("take_letters")
MARK_REDRIVEN: Final = _load("mark_redriven")
DISCARD_LETTERS: Final = _load("discard_letters")
COUNT_OPEN_LETTERS: Final = _load("count_open_letters")
PURGE_LETTERS: Final = _load("purge_letters")
ADVANCE_OFFSETS: Final = _load("advance_offsets")
FIND_REPLAY: Final = _load("find_replay")
INSERT_REPLAY: Final = _load("insert_replay")
NOTE_REPLAY: Final = _load("note_replay")
LOCK_REPLAY: Final = _load("lock_replay")
UNLOCK_REPLAY: Final = _load("unlock_replay")
LOCK_ASKED: Final = _load("lock_asked")
UNLOCK_ASKED: Final = _load("unlock_asked")
LIST_REPLAYS: Final = _load("list_replays")
PURGE_REPLAYS: Final = _load("purge_replays")
CANCEL_REPLAY: Final = _load("cancel_replay")
COUNT_PARKED: Final = _load("count_parked")
READ_USERS_PARTITIONS: Final = _load("read_users_partitions")
FIND_TABLE: Final = _load("find_table")
FIND_LIVE: Final = _load("find_live")
ENTER_SHADOW: Final = _load("enter_shadow")
CREATE_SHADOW: Final = _load("create_shadow")
READ_CONSTRAINTS: Final = _load("read_constraints")
READ_INDEXES: Final = _load("read_indexes")
SEED_SHADOW: Final = _load("seed_shadow")
SEED_OFFSETS: Final = _load("seed_offsets")
INSERT_SPANS: Final = _load("insert_spans")
READ_SPANS: Final = _load("read_spans")
COUNT_BEYOND: Final = _load("count_beyond")
HAVE_SINKS_MOVED: Final = _load("have_sinks_moved")
FIND_BEGUN_ANEW: Final = _load("find_begun_anew")
READ_LIVE_OFFSETS: Final = _load("read_live_offsets")
KEEP_CREATED: Final = _load("keep_created")
READ_COLUMNS: Final = _load("read_columns")
FIND_DIFFERENCE: Final = _load("find_difference")
COUNT_DIFFERENCE: Final = _load("count_difference")
COUNT_TURNED_BACK: Final = _load("count_turned_back")
COUNT_DIFFERING_COLUMNS: Final = _load("count_differing_columns")
SHOW_DIFFERENCE: Final = _load("show_difference")
VACUUM_SHADOW: Final = _load("vacuum_shadow")
LOCK_LIVE: Final = _load("lock_live")
REPLACE_TABLE: Final = _load("replace_table")
READ_VIEWS: Final = _load("read_views")
READ_TRIGGERS: Final = _load("read_triggers")
READ_ROW_TRIGGERS: Final = _load("read_row_triggers")
READ_SHADOW_TRIGGERS: Final = _load("read_shadow_triggers")
READ_CARRIED: Final = _load("read_carried")
READ_REFUSALS: Final = _load("read_refusals")
COPY_STAGE: Final = sql.SQL("COPY stage ({}) FROM STDIN (FORMAT BINARY)").format(
    sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
)

COPY_LETTER_STAGE: Final = sql.SQL("COPY letter_stage ({}) FROM STDIN (FORMAT BINARY)").format(
    sql.SQL(", ").join(map(sql.Identifier, Letter._fields))
)


def timeouts(*, statement_timeout_s: float, lock_timeout_s: float) -> dict[str, str]:
    """Parameters of SET_TIMEOUTS; a client that falls silent in a transaction has 15 s."""
    return {
        "statement_ms": str(int(statement_timeout_s * 1000)),
        "lock_ms": str(int(lock_timeout_s * 1000)),
        "idle_ms": "15000",
    }
