"""A storm is judged record by record, so that how a log is cut into batches changes nothing."""

import random
from collections.abc import Sequence

import pytest

from config import metrics
from config.errors import Poison, StoppedForSafety
from consumers.batch import Batch, Span, Unstorable
from consumers.storm import Storm
from tests.events import made
from tests.reads import read

EVENT = made()


def batch(begin: int, poison: Sequence[bool]) -> Batch:
    end = begin + len(poison)
    numbered = list(enumerate(poison, begin))
    return Batch(
        spans={0: Span(begin, end, end - begin)},
        reads=[read(EVENT, offset) for offset, is_poison in numbered if not is_poison],
        poison=[
            Unstorable(0, offset, None, None, [], Poison("invalid", "x"))
            for offset, is_poison in numbered
            if is_poison
        ],
    )


def stopped_in(storm: Storm, log: Sequence[bool], cuts: Sequence[int]) -> int | None:
    """Begin of the batch that was refused; None where none was."""
    for begin, end in zip([0, *cuts], [*cuts, len(log)], strict=True):
        one = batch(begin, log[begin:end])
        try:
            storm.check(one)
        except StoppedForSafety:
            return begin
        storm.settle(one)
    return None


def first_storm(log: Sequence[bool], window: int, accepted: int = 0) -> int | None:
    """The record at which a plain reading of the rule stops."""
    counted = [is_poison and sum(log[:n]) >= accepted for n, is_poison in enumerate(log)]
    ends = range(window, len(log) + 1)
    return next((end - 1 for end in ends if 2 * sum(counted[end - window : end]) > window), None)


@pytest.mark.parametrize("seed", range(60))
def test_the_batch_that_is_refused_holds_the_record_that_makes_it_a_storm(seed: int) -> None:
    chance = random.Random(seed)
    share = chance.choice([0.1, 0.45, 0.5, 0.55, 0.9])
    log = [chance.random() < share for _ in range(120)]
    cuts = sorted(chance.sample(range(1, 120), chance.randrange(12)))
    window, accepted = chance.randrange(1, 40), chance.choice([0, 0, 7, 200])
    stop = first_storm(log, window, accepted)
    expected = None if stop is None else max(begin for begin in [0, *cuts] if begin <= stop)
    assert stopped_in(Storm(window, accepted), log, cuts) == expected


def test_exactly_half_is_no_storm_and_one_more_is() -> None:
    assert stopped_in(Storm(10), [True, False] * 5, []) is None
    assert stopped_in(Storm(10), [True, False] * 4 + [True, True], []) == 0


def test_a_window_that_is_not_full_is_not_judged() -> None:
    assert stopped_in(Storm(10), [True] * 9, []) is None


def test_a_batch_without_poison_can_fill_the_window() -> None:
    assert stopped_in(Storm(10), [True] * 6 + [False] * 4, [6]) == 6


def test_what_is_refused_and_read_again_counts_once() -> None:
    storm, one = Storm(10), batch(0, [True] * 4 + [False] * 5)
    for _ in range(5):
        storm.check(one)
    storm.settle(one)
    assert metrics.SINK_STORM._value.get() == 0.4


def test_the_message_says_what_to_do_and_where_it_begins() -> None:
    with pytest.raises(StoppedForSafety, match=r"10 .*partition 0 offset 3.*invalid.*--accept-poison N"):
        Storm(13).check(batch(0, [False] * 3 + [True] * 11))
