"""Where a partition goes on, by what the table and the log say; and how many offsets were never records."""

from uuid import UUID

import pytest
from confluent_kafka import Uuid

from config.errors import Poison
from consumers.batch import Batch, Span, Unstorable
from consumers.offsets import gaps_in
from consumers.positions import Log, Position, Row, place
from consumers.topics import as_uuid
from tests.events import made
from tests.reads import read

OLD, NEW = UUID(int=1), UUID(int=2**128 - 1)


def at(begin: int, first: int, row: Row | None, *, topic_id: UUID = OLD, restart: bool = False) -> Position:
    return Position(topic_id=topic_id, row=row, begin=begin, first=first, restart=restart)


@pytest.mark.parametrize(
    ("row", "log", "expected"),
    [
        pytest.param(None, Log(OLD, 0, 0), at(0, 0, None), id="new-and-empty"),
        pytest.param(None, Log(OLD, 40, 90), at(40, 40, None), id="new-with-retention-behind"),
        pytest.param(Row(OLD, 50), Log(OLD, 40, 90), at(50, 40, Row(OLD, 50)), id="goes-on"),
        pytest.param(Row(OLD, 90), Log(OLD, 40, 90), at(90, 40, Row(OLD, 90)), id="at-the-end"),
        pytest.param(Row(OLD, 40), Log(OLD, 40, 90), at(40, 40, Row(OLD, 40)), id="at-the-first"),
        pytest.param(Row(OLD, 90), Log(OLD, 90, 90), at(90, 90, Row(OLD, 90)), id="all-expired"),
        pytest.param(Row(OLD, 30), Log(OLD, 40, 90), at(40, 40, Row(OLD, 30)), id="a-gap"),
        pytest.param(
            Row(OLD, 91), Log(OLD, 40, 90), at(40, 40, Row(OLD, 91), restart=True), id="log-was-cut"
        ),
        pytest.param(
            Row(OLD, 50),
            Log(NEW, 0, 90),
            at(0, 0, Row(OLD, 50), topic_id=NEW, restart=True),
            id="topic-was-recreated",
        ),
        pytest.param(
            Row(OLD, 30),
            Log(NEW, 40, 90),
            at(40, 40, Row(OLD, 30), topic_id=NEW, restart=True),
            id="recreated-is-no-gap",
        ),
    ],
)
def test_the_table_and_the_log_decide(row: Row | None, log: Log, expected: Position) -> None:
    assert place(row, log) == expected


@pytest.mark.parametrize(
    ("span", "position", "gaps"),
    [
        pytest.param(Span(0, 10, 10), at(0, 0, None), 0, id="none"),
        pytest.param(Span(0, 10, 7), at(0, 0, None), 3, id="holes-in-the-log"),
        pytest.param(Span(50, 60, 10), at(50, 40, Row(OLD, 50)), 0, id="goes-on"),
        pytest.param(Span(40, 60, 20), at(40, 40, Row(OLD, 30)), 10, id="lost-to-retention"),
        pytest.param(Span(40, 60, 18), at(40, 40, Row(OLD, 30)), 12, id="lost-and-holes"),
        pytest.param(Span(40, 60, 20), at(40, 40, None), 0, id="a-new-row-begins-at-the-first"),
        pytest.param(Span(0, 5, 4), at(0, 0, Row(OLD, 50), restart=True), 1, id="a-restart-begins-anew"),
    ],
)
def test_gaps_are_offsets_without_a_record(span: Span, position: Position, gaps: int) -> None:
    assert gaps_in(span, position) == gaps


@pytest.mark.parametrize("number", [0, 1, 2**63, 2**64 - 1, 2**64, 2**127, 2**128 - 1])
def test_kafkas_topic_id_is_the_same_number(number: int) -> None:
    """The client hands it out as two signed halves."""
    high, low = (half - 2**64 if half >= 2**63 else half for half in divmod(number, 2**64))
    assert as_uuid(Uuid(high, low)) == UUID(int=number)


def test_a_batch_counts_records_of_every_kind() -> None:
    assert Batch().rows == 0
    lost = Unstorable(0, 1, None, None, [], Poison("not_framed", "empty"))
    assert Batch(reads=[read(made(), 0)], poison=[lost, lost]).rows == 3
