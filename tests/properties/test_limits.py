"""In no window, wherever it begins, do more requests pass than the rate says."""

from hypothesis import given
from hypothesis import strategies as st

from config.rates import Rate
from producers.limits.counts import SLOTS, Counts
from tests.frozen_clock import FrozenClock

WINDOW_S = 60
PAUSES_MS = st.one_of(st.integers(0, 50), st.integers(0, 70_000))


@given(
    st.integers(1, 8),
    st.lists(st.tuples(PAUSES_MS, st.integers(0, 12), st.integers(0, 3)), max_size=80),
    st.integers(0, 10**9),
)
def test_never_more_than_the_rate_in_any_window(
    requests: int, steps: list[tuple[int, int, int]], start_ms: int
) -> None:
    """With others heard of or not: they can only make it less."""
    clock = FrozenClock(elapsed_s=start_ms / 1_000)
    counts = Counts(Rate(requests, WINDOW_S), clock, 10)
    now_ms = 0
    taken_ms: list[int] = []
    for pause_ms, tries, elsewhere in steps:
        now_ms += pause_ms
        clock.pass_s(pause_ms / 1_000)
        taken_ms += [now_ms] * sum(counts.take("a") is None for _ in range(tries))
        counts.hear("a", {counts.slot() - elsewhere: elsewhere})
    for first, last in zip(taken_ms, taken_ms[requests:], strict=False):
        assert last - first >= WINDOW_S * 1_000


@given(st.integers(1, 8), st.lists(PAUSES_MS, max_size=80))
def test_whoever_keeps_below_the_rate_is_never_refused(requests: int, pauses_ms: list[int]) -> None:
    """Below it by the twentieth that a slot is."""
    clock = FrozenClock()
    counts = Counts(Rate(requests, WINDOW_S), clock, 10)
    span_ms = WINDOW_S * 1_000 * (SLOTS + 1) // SLOTS + 1
    now_ms = 0
    taken_ms: list[int] = []
    for pause_ms in pauses_ms:
        now_ms += pause_ms
        clock.pass_s(pause_ms / 1_000)
        if sum(now_ms - one < span_ms for one in taken_ms) < requests:
            assert counts.take("a") is None
            taken_ms.append(now_ms)
