"""The age of the oldest record that was read and is not written, through batches that succeed and fail."""

from collections.abc import Callable

import pytest

from consumers.oldest import Oldest
from tests.frozen_clock import FrozenClock


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


@pytest.fixture
def oldest(clock: FrozenClock) -> Oldest:
    return Oldest(clock)


@pytest.fixture
def batch_of(clock: FrozenClock) -> Callable[..., list[int]]:
    """A batch of records that were received so many seconds ago."""

    def batch(*ages_s: int) -> list[int]:
        return [clock.now_us() - age_s * 1_000_000 for age_s in ages_s]

    return batch


BatchOf = Callable[..., list[int]]


def test_nothing_read_is_no_age(oldest: Oldest, batch_of: BatchOf) -> None:
    assert oldest.age_s() == 0
    oldest.read(batch_of())
    assert oldest.age_s() == 0


def test_it_is_the_oldest_of_the_growing_batch_and_grows_with_time(
    oldest: Oldest, batch_of: BatchOf, clock: FrozenClock
) -> None:
    oldest.read(batch_of(3, 9, 1))
    assert oldest.age_s() == 9
    clock.pass_s(2)
    oldest.read(batch_of(5))
    assert oldest.age_s() == 11


def test_a_written_batch_leaves_the_next_one(oldest: Oldest, batch_of: BatchOf) -> None:
    for ages in ((9, 8), (5,), (7,)):
        oldest.read(batch_of(*ages))
        oldest.sent({0: 10})
    oldest.read(batch_of(1))
    told = [oldest.age_s()]
    for _ in range(3):
        oldest.written({})
        told.append(oldest.age_s())
    assert told == [9, 7, 7, 1]


def test_a_failed_batch_stays_until_it_is_written(
    oldest: Oldest, batch_of: BatchOf, clock: FrozenClock
) -> None:
    """Its records are gone from memory, and still not in the table."""
    oldest.read(batch_of(9))
    oldest.sent({0: 10, 1: 5})
    oldest.failed()
    assert oldest.age_s() == 9
    clock.pass_s(60)
    oldest.read(batch_of(1))
    oldest.sent({0: 8, 1: 5})
    assert oldest.age_s() == 69
    oldest.written({0: 8, 1: 5})  # a part of it
    assert oldest.age_s() == 69
    oldest.settled({0: 10})
    assert oldest.age_s() == 0


def test_a_failed_batch_that_the_table_has_all_the_same_is_forgotten(
    oldest: Oldest, batch_of: BatchOf
) -> None:
    """COMMIT's answer was lost, or another member wrote it: nothing of it will be read again."""
    oldest.read(batch_of(9))
    oldest.sent({0: 10})
    oldest.failed()
    oldest.settled({0: 10, 1: 0})
    assert oldest.age_s() == 0


def test_a_batch_that_fails_after_its_partitions_have_gone_is_nobodys_here(
    oldest: Oldest, batch_of: BatchOf
) -> None:
    oldest.read(batch_of(9))
    oldest.sent({0: 10, 1: 5})
    oldest.forget({0, 1}, is_empty=True)
    assert oldest.age_s() == 9
    oldest.failed()
    assert oldest.age_s() == 0


def test_what_goes_to_another_member_is_its_own(oldest: Oldest, batch_of: BatchOf) -> None:
    oldest.read(batch_of(9))
    oldest.sent({0: 10, 1: 5})
    oldest.failed()
    oldest.read(batch_of(4))
    oldest.forget({0}, is_empty=False)
    assert oldest.age_s() == 9
    oldest.forget({1}, is_empty=True)
    assert oldest.age_s() == 0


def test_the_oldest_of_several_failures_is_kept(oldest: Oldest, batch_of: BatchOf) -> None:
    for age_s in (4, 9, 6):
        oldest.read(batch_of(age_s))
        oldest.sent({age_s: 10})
    for _ in range(3):
        oldest.failed()
    assert oldest.age_s() == 9


def test_a_growing_batch_that_is_given_up_stays_too(oldest: Oldest, batch_of: BatchOf) -> None:
    oldest.read(batch_of(4))
    oldest.rewound({0: 10})
    assert oldest.age_s() == 4
    oldest.rewound({})
    assert oldest.age_s() == 4


def test_a_batch_of_poison_alone_has_no_age_but_its_turn(oldest: Oldest, batch_of: BatchOf) -> None:
    oldest.sent({0: 10})
    oldest.read(batch_of(3))
    oldest.sent({0: 20})
    oldest.written({})
    assert oldest.age_s() == 3
    oldest.written({})
    assert oldest.age_s() == 0


def test_a_relay_whose_clock_runs_ahead_gives_no_negative_age(oldest: Oldest, batch_of: BatchOf) -> None:
    oldest.read(batch_of(-5))
    assert oldest.age_s() == 0
