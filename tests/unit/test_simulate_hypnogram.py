"""The model's nights look like nights."""

from collections import Counter
from functools import cache
from random import Random

from session_relay.simulate.hypnogram import DEEP, LIGHT, NONE, REM, WAKE, night


@cache
def nights() -> list[list[int]]:
    return [night(Random(seed)) for seed in range(300)]


def test_the_same_seed_gives_the_same_night() -> None:
    assert night(Random(5)) == night(Random(5))
    assert night(Random(5)) != night(Random(6))


def test_stages_are_spread_as_in_adult_sleep() -> None:
    counts = Counter(stage for stages in nights() for stage in stages)
    asleep = counts[LIGHT] + counts[DEEP] + counts[REM]
    assert 0.5 <= counts[LIGHT] / asleep <= 0.68
    assert 0.12 <= counts[DEEP] / asleep <= 0.20
    assert 0.18 <= counts[REM] / asleep <= 0.25
    assert 0.06 <= counts[WAKE] / counts.total() <= 0.25


def test_deep_sleep_comes_early_and_rem_late() -> None:
    early, late = Counter[int](), Counter[int]()
    for stages in nights():
        third = len(stages) // 3
        early.update(stages[:third])
        late.update(stages[-third:])
    assert early[DEEP] > 3 * late[DEEP]
    assert late[REM] > 2 * early[REM]


def test_nights_last_five_and_a_half_to_ten_hours_and_naps_are_rare() -> None:
    hours = [len(stages) / 120 for stages in nights()]
    naps = [length for length in hours if length <= 2]
    assert 0 < len(naps) < 0.08 * len(hours)
    assert all(1 <= length <= 2 or 5.5 <= length <= 10 for length in hours)


def test_people_lie_awake_at_both_ends_and_wake_in_between() -> None:
    whole = [stages for stages in nights() if NONE not in stages]
    assert all(stages[0] == WAKE and stages[-1] == WAKE for stages in whole)
    inside = [stages[120:-60].count(WAKE) for stages in whole if len(stages) > 400]
    assert sum(1 for wakes in inside if wakes) > 0.9 * len(inside)


def test_some_nights_have_gaps() -> None:
    with_gaps = sum(1 for stages in nights() if NONE in stages)
    assert 0.04 * len(nights()) < with_gaps < 0.2 * len(nights())
