"""Batches cut anywhere leave the same rows, outcomes and remembered ids as one event at a time."""

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection
from psycopg_pool import ConnectionPool

from consumers import statements
from consumers.ahead import Ahead
from consumers.batch import Batch, Span
from consumers.offsets import Offsets
from consumers.outcome import Outcome
from consumers.positions import Position, Row
from consumers.write import Write
from schemas.event import SessionEvent
from tests.events import expected_of, history
from tests.eventually import PATIENCE_S
from tests.reads import read

pytestmark = pytest.mark.integration

TOPIC_ID = UUID(int=7)
TIMEOUTS = statements.timeouts(statement_timeout_s=30, lock_timeout_s=10)
ROWS = "SELECT session_id, event_id::text, applied_event_ids::text[] FROM sessions"
SUMS = "SELECT written, duplicate, stale, passed, next_offset FROM consumer_offsets"


@pytest.fixture
def pool(database_url: str) -> Iterator[ConnectionPool]:
    def prepare(connection: Connection[Any]) -> None:
        connection.execute(statements.CREATE_STAGE)
        connection.commit()

    # made whole beforehand, as in `tests.applying`
    with ConnectionPool(database_url, min_size=3, max_size=3, configure=prepare, open=True) as opened:
        opened.wait()
        yield opened


def apply_in_batches(
    pool: ConnectionPool, log: Sequence[SessionEvent], cuts: Sequence[int]
) -> Counter[Outcome]:
    """Write the log from offset 0 in batches that end at these cuts, each staged ahead of its turn.

    Returns:
        The outcomes told.
    """
    ahead = Ahead(pool, TIMEOUTS)
    write = Write(pool, Offsets("topic", "group"), TIMEOUTS, ahead)
    batches = [batch_of(log, begin, end) for begin, end in pairwise(sorted({0, *cuts, len(log)}))]
    ahead.start()
    told: Counter[Outcome] = Counter()
    row = None
    for number, batch in enumerate(batches):
        for next_one in batches[number + 1 : number + 2]:
            ahead.begin(next_one)
        position = Position(topic_id=TOPIC_ID, row=row, begin=batch.spans[0].begin, first=0)
        told += write(batch, {0: position})[0]
        row = Row(TOPIC_ID, batch.spans[0].end)
    ahead.end()
    ahead.join(PATIENCE_S)
    return told


def batch_of(log: Sequence[SessionEvent], begin: int, end: int) -> Batch:
    reads = [read(event, offset) for offset, event in enumerate(log[begin:end], begin)]
    return Batch(spans={0: Span(begin, end, end - begin)}, reads=reads)


@settings(
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    print_blob=True,
)
@given(seed=st.integers(0, 2**32), data=st.data())
def test_where_batches_are_cut_changes_nothing(pool: ConnectionPool, seed: int, data: st.DataObject) -> None:
    chance = random.Random(seed)
    log = history(chance, chance.randrange(1, 60), sessions=chance.randrange(1, 5))
    cuts = data.draw(st.lists(st.integers(1, len(log)), max_size=len(log)))
    with pool.connection() as connection:
        connection.execute("TRUNCATE sessions, consumer_offsets")
    told = apply_in_batches(pool, log, cuts)
    expected = expected_of(log)
    with pool.connection() as connection:
        rows = {session: (winner, ids) for session, winner, ids in connection.execute(ROWS)}
        sums = connection.execute(SUMS).fetchone()
    assert rows == expected.rows
    assert {outcome.value: count for outcome, count in told.items() if count} == {
        name: count for name, count in expected.outcomes.items() if count
    }
    assert sums == (*expected.outcomes.values(), len(log))
