"""A session that is told under two users is written by two members at once: neither overwrites the other."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import psycopg
import pytest
from psycopg_pool import ConnectionPool

from consumers import statements
from consumers.batch import Batch, Span
from consumers.fates import TryAgain
from consumers.offsets import Offsets
from consumers.pool import prepare
from consumers.positions import Position, Row
from consumers.write import Write
from schemas.event import SessionEvent
from tests.events import made
from tests.eventually import PATIENCE_S, eventually
from tests.reads import read

pytestmark = pytest.mark.integration
TOPIC_ID = UUID(int=7)
WAITS = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
HOLD = "SELECT 1 FROM consumer_offsets WHERE partition = 0 FOR UPDATE"
FIRST = made(session="s-0")
AROUND = [made(sequence=n) for n in (1, 3)]
BETWEEN = made(user="u-2", sequence=2)
"""After it the first of the two is stale, though it was greater than what they were folded onto."""


@pytest.fixture
def write(database_url: str) -> Iterator[Write]:
    timeouts = statements.timeouts(statement_timeout_s=30, lock_timeout_s=20)
    with ConnectionPool(database_url, min_size=1, max_size=3, configure=prepare, open=True) as pool:
        yield Write(pool, Offsets("topic", "group"), timeouts)


def call(write: Write, partition: int, begin: int, events: list[SessionEvent]) -> None:
    reads = [read(event, offset, partition) for offset, event in enumerate(events, begin)]
    span = Span(begin, begin + len(events), len(events))
    row = Row(TOPIC_ID, begin) if begin else None
    at = Position(topic_id=TOPIC_ID, row=row, begin=begin, first=0)
    write(Batch(spans={partition: span}, reads=reads), {partition: at})


@pytest.mark.parametrize("there", [False, True], ids=["a new session", "a session that is there"])
def test_what_was_folded_onto_may_not_have_changed(write: Write, database_url: str, *, there: bool) -> None:
    """Method: hold the fence, so that the one has folded and waits while the other writes."""
    call(write, 0, 0, [FIRST])
    if there:
        call(write, 2, 0, [made(sequence=0)])
    with psycopg.connect(database_url, autocommit=True) as look, ThreadPoolExecutor(1) as pool:
        with psycopg.connect(database_url) as holder:
            holder.execute(HOLD)
            folding = pool.submit(call, write, 0, 1, AROUND)
            eventually(lambda: look.execute(WAITS).fetchone())
            call(write, 1, 0, [BETWEEN])
        with pytest.raises(TryAgain):
            folding.result(PATIENCE_S)
        call(write, 0, 1, AROUND)
        told = look.execute("SELECT event_id::text FROM sessions WHERE session_id = 's-1'").fetchall()
        outcomes = look.execute("SELECT written, stale FROM consumer_offsets WHERE partition = 0").fetchone()
    assert told == [(AROUND[1].event_id,)]
    assert outcomes == (2, 1)
