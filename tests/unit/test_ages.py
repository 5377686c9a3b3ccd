"""Which ages at a commit the objective counts, and when Kafka is asked how far it had come before."""

from collections.abc import Collection, Mapping
from uuid import UUID

import pytest

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


class Group:
    """What a group has committed, and who asked for it."""

    def __init__(self, **committed: int) -> None:
        self.committed = {int(name[1:]): offset for name, offset in committed.items()}
        self.asked: list[set[int]] = []

    def __call__(self, partitions: Collection[int]) -> Mapping[int, int]:
        self.asked.append(set(partitions))
        return {p: offset for p, offset in self.committed.items() if p in partitions}


def counted(ages: Ages, clock: FrozenClock, begin: int, *old_s: int, topic_id: UUID = TOPIC_ID) -> float:
    """Let a batch of partition 0 with events so old be committed; returns how many ages were counted."""
    name, labels = "event_age_seconds_count", {"stage": "committed"}
    before = metrics.REGISTRY.get_sample_value(name, labels) or 0.0
    reads = [
        read(made(received_at=clock.now_us() - age_s * MICROSECONDS), begin + number)
        for number, age_s in enumerate(old_s)
    ]
    batch = Batch(spans={0: Span(begin, begin + len(reads), len(reads))}, reads=reads)
    row = Row(topic_id, begin)
    ages.observe(batch, {0: Position(topic_id=TOPIC_ID, row=row, begin=begin, first=0)})
    return (metrics.REGISTRY.get_sample_value(name, labels) or 0.0) - before


def placed(group: Group) -> tuple[Ages, FrozenClock]:
    clock = FrozenClock()
    ages = Ages(group, clock)
    ages.placed([0])
    return ages, clock


def test_what_is_in_time_is_counted_whatever_it_is_and_asks_for_nothing() -> None:
    group = Group(p0=99)
    ages, clock = placed(group)
    assert counted(ages, clock, 0, IN_TIME, 0, -5) == 3
    assert group.asked == []


def test_late_ones_count_from_where_the_group_had_come_to() -> None:
    group = Group(p0=3)
    ages, clock = placed(group)
    batch = Batch(spans={0: Span(0, 2, 2)})
    assert counted(ages, clock, 0, LATE, LATE) == 0
    assert ages.read_before(batch) == {0: 3}
    assert counted(ages, clock, 2, LATE, LATE, IN_TIME) == 2
    assert ages.read_before(Batch(spans={0: Span(2, 5, 3)})) == {}
    assert group.asked == [{0}]


@pytest.mark.parametrize("again", [False, True])
def test_kafka_is_asked_at_the_first_batch_after_a_placing_alone(again: bool) -> None:
    """Later it would tell what was committed since."""
    group = Group(p0=9)
    ages, clock = placed(group)
    assert counted(ages, clock, 0, IN_TIME) == 1
    if again:
        ages.placed([0])
    assert counted(ages, clock, 1, LATE) == (0 if again else 1)
    assert group.asked == ([{0}] if again else [])


def test_a_recreated_topic_has_new_records() -> None:
    group = Group(p0=9)
    ages, clock = placed(group)
    assert counted(ages, clock, 0, LATE, topic_id=ANOTHER) == 1
    assert group.asked == []
