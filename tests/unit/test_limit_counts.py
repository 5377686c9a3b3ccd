"""Counting in a moving window: exact in what it lets pass, bounded in what it remembers."""

import tracemalloc

import pytest

from config.rates import Rate
from producers.limits.counts import SLOTS, Counts
from tests.frozen_clock import FrozenClock

WINDOW_S = 60
SLOT_S = WINDOW_S / SLOTS


def counts(requests: int = 3, clock: FrozenClock | None = None, max_keys: int = 100) -> Counts:
    return Counts(Rate(requests, WINDOW_S), clock or FrozenClock(), max_keys)


def test_as_many_pass_as_the_rate_says_and_no_more() -> None:
    made = counts(3)
    assert [made.take("a") is None for _ in range(5)] == [True, True, True, False, False]


def test_keys_do_not_share_a_count() -> None:
    made = counts(1)
    assert made.take("a") is None
    assert made.take("b") is None
    assert made.take("a") is not None


def test_whoever_waits_as_told_is_let_pass_and_not_a_slot_sooner() -> None:
    clock = FrozenClock()
    made = counts(2, clock)
    for _ in range(2):
        assert made.take("a") is None
        clock.pass_s(10)
    wait_s = made.take("a")
    assert wait_s is not None
    assert WINDOW_S - 20 <= wait_s <= WINDOW_S - 20 + SLOT_S
    clock.pass_s(wait_s - 0.01)
    assert made.take("a") is not None
    clock.pass_s(0.02)
    assert made.take("a") is None
    assert made.take("a") is not None  # the second one counts still


def test_refused_requests_do_not_count() -> None:
    clock = FrozenClock()
    made = counts(1, clock)
    made.take("a")
    passed = 0
    for _ in range(100):
        clock.pass_s((WINDOW_S + SLOT_S) / 100)
        passed += made.take("a") is None
    assert passed == 1


def test_a_wall_clock_that_is_set_changes_nothing() -> None:
    clock = FrozenClock()
    made = counts(1, clock)
    made.take("a")
    for shift_us in (-3_600_000_000, 7_200_000_000):
        clock.wall_us += shift_us
        assert made.take("a") is not None


def test_beyond_the_bound_the_longest_silent_key_is_forgotten() -> None:
    made = counts(1, max_keys=3)
    for key in "abc":
        made.take(key)
    made.take("a")  # refused, but not silent
    made.take("d")
    assert (len(made), made.forgotten) == (3, 1)
    assert made.take("a") is not None
    assert made.take("b") is None  # forgotten, so it begins anew


def test_what_no_longer_counts_is_swept_and_is_no_loss() -> None:
    clock = FrozenClock()
    made = counts(1, clock, max_keys=2)
    made.take("a")
    clock.pass_s(WINDOW_S / 2)
    made.take("b")
    made.sweep()
    assert len(made) == 2
    clock.pass_s(WINDOW_S / 2 + SLOT_S)
    made.sweep()
    assert len(made) == 1
    clock.pass_s(WINDOW_S)
    for key in "cde":
        made.take(key)
    assert made.forgotten == 1  # c, not b, which counted no more


def test_what_counts_to_its_last_slot_is_not_swept_before() -> None:
    clock = FrozenClock()
    made = counts(1, clock)
    made.take("a")
    clock.pass_s(WINDOW_S)
    made.sweep()
    assert made.take("a") is not None


def test_memory_does_not_grow_with_requests_or_addresses() -> None:
    clock = FrozenClock()
    made = Counts(Rate(1_000_000, WINDOW_S), clock, 1_000)
    tracemalloc.start()
    try:
        for number in range(1_000):
            made.take(str(number))
        full, _ = tracemalloc.get_traced_memory()
        for number in range(5_000):
            made.take(str(number))
            made.take("0")
            clock.pass_s(0.01)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(made) == 1_000
    assert after < full * 1.5


@pytest.mark.parametrize("elsewhere", [2, 200])
def test_what_others_took_counts_here_and_ages_likewise(elsewhere: int) -> None:
    clock = FrozenClock()
    made = counts(3, clock)
    made.take("a")
    made.hear("a", {made.slot(): elsewhere})
    assert made.take("a") is not None
    clock.pass_s(WINDOW_S + SLOT_S)
    assert made.take("a") is None


def test_hearing_the_same_twice_counts_once() -> None:
    made = counts(4)
    made.take("a")
    for _ in range(5):
        made.hear("a", {made.slot(): 2})
    made.hear("a", {made.slot(): 1})  # one of the others was not heard this time
    assert made.take("a") is None
    assert made.take("a") is not None


def test_slots_out_of_reach_and_keys_that_are_gone_are_not_heard() -> None:
    made = counts(3)
    made.take("a")
    made.hear("a", {made.slot() - SLOTS - 1: 9, made.slot() + 1: 9, -(10**30): 9})
    made.hear("nobody", {made.slot(): 9})
    assert made.take("a") is None
    assert len(made) == 1


def test_the_latest_keys_are_told_with_their_own_requests_alone() -> None:
    clock = FrozenClock()
    made = counts(9, clock)
    for key in "aabc":
        made.take(key)
    clock.pass_s(SLOT_S)
    made.take("a")
    made.hear("a", {made.slot(): 5})
    newest, told = made.latest(2)
    assert newest == made.slot()
    assert list(told) == ["a", "c"]
    assert told["a"][:3] == [1, 2, 0]
