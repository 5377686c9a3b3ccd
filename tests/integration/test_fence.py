"""The fence: of two members that believe they own a partition, one writes."""

from collections.abc import Iterator
from contextlib import suppress
from typing import Any
from uuid import UUID

import pytest
from psycopg import Connection
from psycopg_pool import ConnectionPool

from consumers import statements
from consumers.batch import Batch, Span
from consumers.fates import Fenced
from consumers.offsets import Offsets
from consumers.positions import Position, Row
from consumers.write import Write
from tests.events import made
from tests.reads import read

pytestmark = pytest.mark.integration

TOPIC_ID = UUID(int=7)
TIMEOUTS = statements.timeouts(statement_timeout_s=30, lock_timeout_s=10)
OFFSETS = "SELECT next_offset, written + duplicate + stale, gaps, first_offset FROM consumer_offsets"


@pytest.fixture
def write(database_url: str) -> Iterator[Write]:
    def prepare(connection: Connection[Any]) -> None:
        connection.execute(statements.CREATE_STAGE)
        connection.commit()

    with ConnectionPool(database_url, min_size=1, max_size=2, configure=prepare, open=True) as pool:
        yield Write(pool, Offsets("topic", "group"), TIMEOUTS)


def batch(begin: int, end: int) -> Batch:
    reads = [read(made(session=f"s-{offset}"), offset) for offset in range(begin, end)]
    return Batch(spans={0: Span(begin, end, end - begin)}, reads=reads)


def at(begin: int, row: Row | None, *, restart: bool = False) -> dict[int, Position]:
    return {0: Position(topic_id=TOPIC_ID, row=row, begin=begin, first=0, restart=restart)}


def offsets(url: str) -> tuple[Any, ...] | None:
    with Connection.connect(url) as connection:
        return connection.execute(OFFSETS).fetchone()


def test_a_first_batch_that_finds_a_row_is_rolled_back_whole(write: Write, database_url: str) -> None:
    write(batch(0, 3), at(0, None))
    with pytest.raises(Fenced):
        write(batch(0, 5), at(0, None))
    assert offsets(database_url) == (3, 3, 0, 0)


def test_the_sums_stay_true_when_two_members_write_the_same_records(write: Write, database_url: str) -> None:
    """Fails without the fence: the offsets would say 5, the outcomes 7."""
    write(batch(0, 3), at(0, None))
    for _ in range(2):
        with suppress(Fenced):
            write(batch(3, 5), at(3, Row(TOPIC_ID, 3)))
    next_offset, accounted, gaps, first = offsets(database_url) or ()
    assert accounted == next_offset - first - gaps


def test_a_batch_from_where_another_has_moved_on_is_rolled_back(write: Write, database_url: str) -> None:
    write(batch(0, 3), at(0, None))
    write(batch(3, 5), at(3, Row(TOPIC_ID, 3)))
    with pytest.raises(Fenced):
        write(batch(3, 9), at(3, Row(TOPIC_ID, 3)))
    assert offsets(database_url) == (5, 5, 0, 0)


def test_a_batch_for_a_topic_that_was_recreated_is_rolled_back_whole(write: Write, database_url: str) -> None:
    write(batch(0, 3), at(0, None))
    with pytest.raises(Fenced):
        write(batch(3, 5), at(3, Row(UUID(int=8), 3)))
    assert offsets(database_url) == (3, 3, 0, 0)


def test_a_row_that_is_gone_fences_too(write: Write, database_url: str) -> None:
    with pytest.raises(Fenced):
        write(batch(3, 5), at(3, Row(TOPIC_ID, 3)))
    assert offsets(database_url) is None


def test_after_a_cut_log_the_sums_begin_anew(write: Write, database_url: str) -> None:
    write(batch(0, 3), at(0, None))
    write(batch(0, 2), at(0, Row(TOPIC_ID, 3), restart=True))
    assert offsets(database_url) == (2, 2, 0, 0)


def test_offsets_that_the_log_has_lost_count_as_a_gap(write: Write, database_url: str) -> None:
    write(batch(0, 3), at(0, None))
    write(batch(7, 9), at(7, Row(TOPIC_ID, 3)))
    assert offsets(database_url) == (9, 5, 4, 0)


def test_a_hole_inside_a_batch_counts_as_a_gap(write: Write, database_url: str) -> None:
    reads = [read(made(session=f"s-{offset}"), offset) for offset in (0, 4)]
    write(Batch(spans={0: Span(0, 5, 2)}, reads=reads), at(0, None))
    assert offsets(database_url) == (5, 2, 3, 0)
