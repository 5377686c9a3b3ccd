"""Which ages at a commit the objective counts."""

from config import metrics
from consumers.ages import Ages
from consumers.batch import Batch, Span
from schemas.event import MICROSECONDS
from tests.events import made
from tests.frozen_clock import FrozenClock
from tests.reads import read

LATE, IN_TIME = 61, 60


def counted(ages: Ages, clock: FrozenClock, begin: int, *old_s: int) -> float:
    """Let a batch of partition 0 with events so old be committed; returns how many ages were counted."""
    name, labels = "event_age_seconds_count", {"stage": "committed"}
    before = metrics.REGISTRY.get_sample_value(name, labels) or 0.0
    reads = [
        read(made(received_at=clock.now_us() - age_s * MICROSECONDS), begin + number)
        for number, age_s in enumerate(old_s)
    ]
    batch = Batch(spans={0: Span(begin, begin + len(reads), len(reads))}, reads=reads)
    ages.observe(batch, clock.now_us())
    return (metrics.REGISTRY.get_sample_value(name, labels) or 0.0) - before


def placed(committed: int) -> tuple[Ages, FrozenClock]:
    """The group had committed so much of partition 0."""
    clock = FrozenClock()
    ages = Ages()
    ages.know({0: committed})
    return ages, clock


def test_what_is_in_time_is_counted_whatever_it_is() -> None:
    ages, clock = placed(99)
    assert counted(ages, clock, 0, IN_TIME, 0, -5) == 3


def test_late_ones_count_from_where_the_group_had_come_to() -> None:
    ages, clock = placed(3)
    assert counted(ages, clock, 0, LATE, LATE) == 0
    assert counted(ages, clock, 2, LATE, LATE, IN_TIME) == 2


def test_what_was_known_is_forgotten_when_a_partition_is_placed_again() -> None:
    ages, clock = placed(9)
    assert counted(ages, clock, 0, LATE) == 0
    ages.forget([0])
    assert counted(ages, clock, 1, LATE) == 1
