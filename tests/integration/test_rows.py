"""What binary COPY puts on the wire is what Postgres itself understands: every column, to the last bit."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import msgspec
import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from psycopg import Connection
from psycopg.rows import DictRow, dict_row

from consumers import statements
from consumers.rows import COLUMNS, COPY_BEGIN, COPY_END, folded_row, packed_row, staged_row
from schemas.event import MAX_TIME_US, MIN_TIME_US, RANK, EventType, SessionEvent, Statistics
from tests.crafted import EVENT
from tests.valid_events import events

pytestmark = pytest.mark.integration

TOPIC_ID = UUID("b3f0c4a2-0000-4000-8000-0000000000ff")
PLACE = (TOPIC_ID, 2**31 - 1, 2**63 - 1)
TIMES = ("occurred_at", "received_at", "session_start_time", "session_end_time")
_SHOWN = [
    f"(extract(epoch FROM {name}) * 1000000)::bigint AS {name}, {name}::text AS {name}_text"
    if name in TIMES
    else name
    for name in COLUMNS
]
READ_BACK = f"SELECT {', '.join(_SHOWN)} FROM stage"


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection[DictRow]]:
    with psycopg.connect(database_url, row_factory=dict_row, autocommit=True) as opened:
        opened.execute(statements.CREATE_STAGE)
        opened.execute("SET timezone = 'UTC'")
        yield opened


def stage(
    connection: Connection[DictRow], event: SessionEvent, written: tuple[str, ...] | None = None
) -> None:
    """COPY one event as the sink does; within a transaction."""
    row = packed_row(staged_row(event, PLACE))
    with connection.cursor().copy(statements.COPY_STAGE) as copy:
        copy.write(COPY_BEGIN + (row if written is None else folded_row(row, written)) + COPY_END)


def read_back(
    connection: Connection[DictRow], event: SessionEvent, written: tuple[str, ...] | None = None
) -> dict[str, Any]:
    """The staged row, as Postgres shows it."""
    with connection.transaction():
        stage(connection, event, written)
        [row] = connection.execute(READ_BACK.encode()).fetchall()
    return row


def expected(event: SessionEvent) -> dict[str, Any]:
    """What the contract says of an event that is no deletion, column by column."""
    told = msgspec.structs.asdict(event)
    figures = msgspec.structs.asdict(event.statistics or Statistics())
    row = {name: told[name] for name in COLUMNS if name in told}
    row |= {name: figures[name] for name in COLUMNS if name in figures}
    others = {name: value for name, value in figures.items() if name not in COLUMNS and value is not None}
    return row | {
        "event_id": UUID(event.event_id),
        "type": event.type.value,
        "statistics": None if event.statistics is None else others,
        "kafka_topic_id": TOPIC_ID,
        "kafka_partition": PLACE[1],
        "kafka_offset": PLACE[2],
        "applied_event_ids": [UUID(event.event_id)],
        "folded": False,
    }


def without_texts(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if not name.endswith("_text")}


def test_every_column_arrives_as_it_was(connection: Connection[DictRow]) -> None:
    row = read_back(connection, EVENT)
    assert set(without_texts(row)) == set(COLUMNS)
    assert without_texts(row) == expected(EVENT)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(
    event=events().filter(lambda event: event.type in RANK and event.type is not EventType.SESSION_DELETED)
)
def test_any_event_arrives_as_it_was(connection: Connection[DictRow], event: SessionEvent) -> None:
    assert without_texts(read_back(connection, event)) == expected(event)


@pytest.mark.parametrize(
    ("time_us", "text"),
    [
        (MIN_TIME_US, "0001-01-01 00:00:00+00"),
        (-1, "1969-12-31 23:59:59.999999+00"),
        (0, "1970-01-01 00:00:00+00"),
        (946_684_799_999_999, "1999-12-31 23:59:59.999999+00"),
        (946_684_800_000_000, "2000-01-01 00:00:00+00"),
        (MAX_TIME_US, "9999-12-31 23:59:59.999999+00"),
    ],
)
def test_times_are_exact_from_the_first_year_to_the_last(
    connection: Connection[DictRow], time_us: int, text: str
) -> None:
    row = read_back(connection, msgspec.structs.replace(EVENT, **dict.fromkeys(TIMES, time_us)))
    assert [row[f"{name}_text"] for name in TIMES] == [text] * 4
    assert [row[name] for name in TIMES] == [time_us] * 4


def test_a_deletion_loses_its_content(connection: Connection[DictRow]) -> None:
    row = read_back(connection, msgspec.structs.replace(EVENT, type=EventType.SESSION_DELETED))
    absent = (
        "session_start_time",
        "session_end_time",
        "timezone",
        "utc_offset_seconds",
        "sleep_stages",
        "statistics",
    )
    figures = tuple(name for name in Statistics.__struct_fields__ if name in COLUMNS)
    assert [name for name in absent + figures if row[name] is not None] == []
    assert row["attributes"] == {}
    assert (row["user_id"], row["session_id"], row["type"]) == ("u-1", "s-1", "SESSION_DELETED")


def test_the_ids_of_a_folded_key_arrive_in_their_order(connection: Connection[DictRow]) -> None:
    ids = tuple(str(UUID(int=number)) for number in (3, 1, 2))
    row = read_back(connection, EVENT, ids)
    assert (row["applied_event_ids"], row["folded"]) == ([UUID(one) for one in ids], True)


def test_the_longest_key_that_an_event_may_have_fits_the_tables_indexes(
    connection: Connection[DictRow],
) -> None:
    """A key that is too long for a b-tree page would bring the sink down (SQLSTATE 54000)."""
    letters = "".join(chr(0x1F300 + number) for number in range(255))  # four bytes each, hard to compress
    event = msgspec.structs.replace(
        EVENT, tenant=letters[:64], source=letters[64:128], session_id=letters, user_id=letters[::-1]
    )
    with connection.transaction():
        stage(connection, event)
        connection.execute(statements.UPSERT_SESSIONS, {"folded": False})
    [row] = connection.execute("SELECT tenant, source, session_id, user_id FROM sessions").fetchall()
    assert row == {name: getattr(event, name) for name in ("tenant", "source", "session_id", "user_id")}
