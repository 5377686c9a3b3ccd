"""What goes ahead of a batch: its rows staged on another connection, and nothing more."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from psycopg import Connection
from psycopg_pool import ConnectionPool

from consumers import statements
from consumers.ahead import Ahead, Staged
from consumers.batch import Batch, Span
from consumers.fates import PostgresUnavailable
from consumers.offsets import Offsets
from consumers.positions import Position, Row
from consumers.write import Write
from tests.events import made
from tests.eventually import PATIENCE_S, eventually
from tests.reads import TOPIC_ID, read

pytestmark = pytest.mark.integration

TIMEOUTS = statements.timeouts(statement_timeout_s=5, lock_timeout_s=2)
IN_TRANSACTION = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND state LIKE 'idle in%'"
)
TERMINATED = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND state LIKE 'idle in%'"
)
ROWS = "SELECT session_id, sequence FROM sessions ORDER BY session_id"


@contextmanager
def opened(url: str, connections: int) -> Iterator[ConnectionPool]:
    def prepare(connection: Connection[Any]) -> None:
        connection.execute(statements.CREATE_STAGE)
        connection.commit()

    with ConnectionPool(
        url, min_size=connections, max_size=connections, timeout=2, configure=prepare, open=True
    ) as pool:
        pool.wait()
        yield pool


@pytest.fixture
def pool(database_url: str) -> Iterator[ConnectionPool]:
    with opened(database_url, 3) as found:
        yield found


@pytest.fixture
def ahead(pool: ConnectionPool) -> Iterator[Ahead]:
    found = Ahead(pool, TIMEOUTS)
    found.start()
    yield found
    found.end()
    found.join(PATIENCE_S)


def asked(url: str, question: str) -> list[tuple[Any, ...]]:
    with Connection.connect(url, autocommit=True) as connection:
        return connection.execute(question.encode()).fetchall()


def batch(begin: int, sessions: list[str], sequence: int = 0) -> Batch:
    reads = [read(made(session=name, sequence=sequence), n) for n, name in enumerate(sessions, begin)]
    return Batch(spans={0: Span(begin, begin + len(sessions), len(sessions))}, reads=reads)


def at(begin: int) -> dict[int, Position]:
    row = Row(TOPIC_ID, begin) if begin else None
    return {0: Position(topic_id=TOPIC_ID, row=row, begin=begin, first=0)}


def begun(ahead: Ahead, one: Batch, url: str) -> None:
    ahead.begin(one)
    eventually(lambda: asked(url, IN_TRANSACTION) == [(1,)])


def test_a_batch_that_is_staged_is_written_in_its_turn(
    pool: ConnectionPool, ahead: Ahead, database_url: str
) -> None:
    """Sessions that it holds twice are folded in its turn, onto what the batch before has left."""
    write = Write(pool, Offsets("topic", "group"), TIMEOUTS, ahead)
    first, second = batch(0, ["a", "b"]), batch(2, ["a", "c", "d", "d"], sequence=1)
    begun(ahead, second, database_url)
    assert asked(database_url, ROWS) == []
    write(first, at(0))
    assert sum(write(second, at(2))[0].values()) == 4
    assert asked(database_url, ROWS) == [("a", 1), ("b", 0), ("c", 1), ("d", 1)]
    assert asked(database_url, IN_TRANSACTION) == [(0,)]


def test_what_is_dropped_leaves_neither_rows_nor_a_transaction(
    pool: ConnectionPool, ahead: Ahead, database_url: str
) -> None:
    write = Write(pool, Offsets("topic", "group"), TIMEOUTS, ahead)
    one = batch(0, ["a", "b"])
    begun(ahead, one, database_url)
    write.drop_staged(one)
    assert asked(database_url, IN_TRANSACTION) == [(0,)]
    write(batch(0, ["c"]), at(0))
    write(batch(1, ["d"]), at(1))  # on another connection, and one more on the third
    write(batch(2, ["e"]), at(2))
    assert [name for name, _ in asked(database_url, ROWS)] == ["c", "d", "e"]


def test_what_has_waited_for_long_is_staged_anew(pool: ConnectionPool, database_url: str) -> None:
    ahead = Ahead(pool, TIMEOUTS, fresh_s=0)
    ahead.start()
    one = batch(0, ["a"])
    begun(ahead, one, database_url)
    assert ahead.take(one) is None
    assert asked(database_url, IN_TRANSACTION) == [(0,)]
    ahead.end()
    ahead.join(PATIENCE_S)


@pytest.mark.parametrize("connections", [1, 2])
def test_the_last_connections_are_left_to_others(database_url: str, connections: int) -> None:
    with opened(database_url, connections) as pool:
        ahead = Ahead(pool, TIMEOUTS)
        write = Write(pool, Offsets("topic", "group"), TIMEOUTS, ahead)
        ahead.start()
        first, second = batch(0, ["a"]), batch(1, ["b"])
        ahead.begin(second)
        ahead.end()  # it has been tried, if it ever is
        ahead.join(PATIENCE_S)
        assert asked(database_url, IN_TRANSACTION) == [(0,)]
        write(first, at(0))
        write(second, at(1))
    assert [name for name, _ in asked(database_url, ROWS)] == ["a", "b"]


def test_behind_a_failure_all_is_let_go(ahead: Ahead, database_url: str) -> None:
    staged = batch(0, ["a"])
    begun(ahead, staged, database_url)
    ahead.begin(batch(1, ["b"]))
    ahead.drop_all()
    assert asked(database_url, IN_TRANSACTION) == [(0,)]
    assert ahead.take(staged) is None


@pytest.mark.parametrize("end", ["written", "dropped"])
def test_a_connection_that_is_gone_costs_a_try(
    pool: ConnectionPool, ahead: Ahead, database_url: str, end: str
) -> None:
    write = Write(pool, Offsets("topic", "group"), TIMEOUTS, ahead)
    one = batch(0, ["a"])
    begun(ahead, one, database_url)
    assert asked(database_url, TERMINATED) == [(True,)]
    eventually(lambda: asked(database_url, IN_TRANSACTION) == [(0,)])
    if end == "written":
        with pytest.raises(PostgresUnavailable):
            write(one, at(0))
    else:
        ahead.drop(one)
    write(one, at(0))
    assert asked(database_url, ROWS) == [("a", 0)]


def test_rows_that_postgres_refuses_are_the_writes_to_judge(ahead: Ahead, database_url: str) -> None:
    one = batch(0, ["a"])
    one.reads[0].row = one.reads[0].row[:30]
    ahead.begin(one)
    ahead.end()  # it has been tried
    ahead.join(PATIENCE_S)
    staged: Staged | None = ahead.take(one)
    assert staged is None
    assert asked(database_url, IN_TRANSACTION) == [(0,)]
