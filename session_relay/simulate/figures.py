"""A night's figures, derived from its stages alone."""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from session_relay.simulate.hypnogram import DEEP, LIGHT, NONE, REM, WAKE

Figures = dict[str, float | int]

_ASLEEP: Final = frozenset({LIGHT, DEEP, REM})
_SAME_CYCLE_S: Final = 15 * 60
"""REM that resumes within this time belongs to the same sleep cycle."""


def figures_of(stages: Sequence[int], epoch_s: int) -> Figures:
    """Count a night: durations in seconds, shares of the time in bed (0 to 1), counts.

    Shares are rounded so that a percentage says exactly the same: the vendors' spellings differ in that.
    What has no meaning in a night without sleep (latencies) is left out.
    """
    seconds = {stage: sum(1 for s in stages if s == stage) * epoch_s for stage in (WAKE, LIGHT, DEEP, REM)}
    asleep_s = seconds[LIGHT] + seconds[DEEP] + seconds[REM]
    in_bed_s = len(stages) * epoch_s
    figures: Figures = {
        "time_in_bed": in_bed_s,
        "time_in_sleep": asleep_s,
        "time_in_wake": seconds[WAKE],
        "time_in_light": seconds[LIGHT],
        "time_in_deep": seconds[DEEP],
        "time_in_rem": seconds[REM],
        "sleep_cycle_count": _cycles(stages, epoch_s),
        "missing_data_ratio": _share(sum(1 for s in stages if s == NONE) * epoch_s, in_bed_s),
        "sleep_efficiency": _half_percents(asleep_s, in_bed_s),
        "sleep_ratio": _share(asleep_s, in_bed_s),
        "wake_ratio": _share(seconds[WAKE], in_bed_s),
        "light_ratio": _share(seconds[LIGHT], in_bed_s),
        "deep_ratio": _share(seconds[DEEP], in_bed_s),
        "rem_ratio": _share(seconds[REM], in_bed_s),
        "sleep_index": round(100 * min(1.0, asleep_s / (8 * 3600)), 1),
    }
    return figures | _around_sleep(stages, epoch_s)


def _around_sleep(stages: Sequence[int], epoch_s: int) -> Figures:
    asleep = [epoch for epoch, stage in enumerate(stages) if stage in _ASLEEP]
    if not asleep:
        return {"time_in_sleep_period": 0, "waso_count": 0, "longest_waso": 0}
    onset, last = asleep[0], asleep[-1]
    wakes = [length for stage, length in _runs(stages[onset : last + 1]) if stage == WAKE]
    return {
        "time_in_sleep_period": (last - onset + 1) * epoch_s,
        "sleep_latency": onset * epoch_s,
        "wakeup_latency": (len(stages) - 1 - last) * epoch_s,
        "waso_count": len(wakes),
        "longest_waso": max(wakes, default=0) * epoch_s,
    }


def _cycles(stages: Sequence[int], epoch_s: int) -> int:
    """Count the REM periods; one that pauses for less than a quarter of an hour is one period."""
    count, since_rem_s = 0, float(_SAME_CYCLE_S)
    for stage, length in _runs(stages):
        if stage == REM:
            count += since_rem_s >= _SAME_CYCLE_S
            since_rem_s = 0.0
        else:
            since_rem_s += length * epoch_s
    return count


def _runs(stages: Sequence[int]) -> Iterator[tuple[int, int]]:
    return ((stage, sum(1 for _ in run)) for stage, run in groupby(stages))


def _share(part_s: int, whole_s: int) -> float:
    return round(part_s / whole_s, 3) if whole_s else 0.0


def _half_percents(part_s: int, whole_s: int) -> float:
    """A share in steps of 0.005: as a percentage it is exact in binary, so both spellings mean one number."""
    return round(200 * part_s / whole_s) / 200 if whole_s else 0.0
