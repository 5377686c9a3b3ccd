"""Hands are dealt evenly, and a round's number always means the same hand."""

from collections import Counter

from tests.chaos.deck import HAND, deal
from tests.chaos.faults import FAULTS


def test_over_five_seeds_of_40_rounds_each_fault_comes_at_least_ten_times() -> None:
    dealt = Counter(name for seed in range(5) for hand in deal(seed, 40, list(FAULTS)) for name in hand)
    assert dealt.keys() == FAULTS.keys()
    assert min(dealt.values()) >= 10
    assert dealt.total() == 5 * 40 * HAND


def test_a_round_has_the_same_hand_however_many_there_are() -> None:
    assert deal(7, 40, list(FAULTS))[:9] == deal(7, 9, list(reversed(FAULTS)))
    assert deal(7, 9, list(FAULTS)) != deal(8, 9, list(FAULTS))
