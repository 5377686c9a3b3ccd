"""Which ages at a commit the objective counts."""

from uuid import UUID

from config import metrics
from consumers.ages import Ages
from consumers.batch import Batch, Span
from consumers.positions import Position, Row
from schemas.event import MICROSECONDS
from tests.events import made
from tests.frozen_clock import FrozenClock
from tests.reads import TOPIC_ID, read

LATE, IN_TIME = 61, 60
ANOTHER = UUID(int=8)


def counted(ages: Ages, clock: FrozenClock, begin: int, *old_s: int) -> float:
    """Let a batch of partition 0 with events so old be committed; returns how many ages were counted."""
    name, labels = "event_age_seconds_count", {"stage": "committed"}
    before = metrics.REGISTRY.get_sample_value(name, labels) or 0.0
    reads = [
        read(made(received_at=clock.now_us() - age_s * MICROSECONDS), begin + number)
        for number, age_s in enumerate(old_s)
    ]
    batch = Batch(spans={0: Span(begin, begin + len(reads), len(reads))}, reads=reads)
    ages.observe(batch)
    return (metrics.REGISTRY.get_sample_value(name, labels) or 0.0) - before


def placed(committed: int, former_topic: UUID = TOPIC_ID) -> tuple[Ages, FrozenClock]:
    """Partition 0 goes on at the begin of its topic; the group had committed so much."""
    clock = FrozenClock()
    ages = Ages(clock)
    ages.placed({0: Position(topic_id=TOPIC_ID, row=Row(former_topic, 0), begin=0, first=0)})
    ages.know({0: committed})
    return ages, clock


def test_what_is_in_time_is_counted_whatever_it_is() -> None:
    ages, clock = placed(99)
    assert counted(ages, clock, 0, IN_TIME, 0, -5) == 3


def test_late_ones_count_from_where_the_group_had_come_to() -> None:
    ages, clock = placed(3)
    batch = Batch(spans={0: Span(0, 2, 2)})
    assert counted(ages, clock, 0, LATE, LATE) == 0
    assert ages.read_before(batch) == {0: 3}
    assert counted(ages, clock, 2, LATE, LATE, IN_TIME) == 2
    assert ages.read_before(Batch(spans={0: Span(2, 5, 3)})) == {}


def test_what_was_known_is_forgotten_when_a_partition_is_placed_again() -> None:
    ages, clock = placed(9)
    assert counted(ages, clock, 0, LATE) == 0
    ages.placed({0: Position(topic_id=TOPIC_ID, row=Row(TOPIC_ID, 1), begin=1, first=0)})
    assert counted(ages, clock, 1, LATE) == 1


def test_a_recreated_topic_has_new_records() -> None:
    ages, clock = placed(9, former_topic=ANOTHER)
    assert counted(ages, clock, 0, LATE) == 1
