"""A seeded model of a night's stages: cycles of about 90 minutes, deep sleep early, REM late.

The shape follows textbook adult sleep: a fall through light into deep sleep, a climb back, then REM;
deep sleep fades from cycle to cycle while REM grows; arousals break every stage. Within a cycle the
stages are semi-Markov: runs of random length, broken by shorter runs of another stage.
"""

import math
from random import Random
from typing import Final

from session_relay.simulate.chance import chance

NONE: Final = -1
WAKE: Final = 0
LIGHT: Final = 1
DEEP: Final = 2
REM: Final = 3
EPOCH_S: Final = 30
"""Length of an epoch of this model in seconds."""

_EPOCHS_PER_MINUTE: Final = 60 // EPOCH_S
_DEEP_SHARE: Final = (0.36, 0.27, 0.14, 0.06, 0.02)
"""Share of deep sleep in the first, second … cycle; the last value holds from there on."""
_REM_SHARE: Final = (0.10, 0.19, 0.27, 0.31, 0.33)
_NAP_SHARE: Final = 0.03
_GAP_SHARE: Final = 0.1
"""Share of nights in which the sensor lost some epochs."""


def night(rng: Random) -> list[int]:
    """Draw the stages of one night: 5.5 to 10 hours in bed, rarely a nap of 1 to 2 hours.

    Returns:
        One stage per epoch of 30 s: -1 none, 0 wake, 1 light, 2 deep, 3 REM.
    """
    nap = chance(rng, _NAP_SHARE)
    hours = rng.uniform(1.0, 2.0) if nap else _within(rng.gauss(7.7, 0.9), 5.5, 10.0)
    in_bed = round(hours * 60 * _EPOCHS_PER_MINUTE)
    falling_asleep = _epochs(_within(rng.lognormvariate(math.log(14), 0.6), 1, 25 if nap else 60))
    waking_up = _epochs(_within(rng.lognormvariate(math.log(8), 0.7), 1, 20))
    depth = _within(rng.gauss(1.0, 0.18), 0.5, 1.5)  # some people sleep deeper than others
    stages = [WAKE] * falling_asleep
    cycle = 0
    while len(stages) < in_bed - waking_up:
        stages += _cycle(rng, cycle, depth)
        cycle += 1
    del stages[in_bed - waking_up :]
    stages += [WAKE] * waking_up
    if chance(rng, _GAP_SHARE):
        _lose_epochs(rng, stages)
    return stages


def _cycle(rng: Random, index: int, depth: float) -> list[int]:
    length = _epochs(_within(rng.gauss(92, 11), 65, 120))
    place = min(index, len(_DEEP_SHARE) - 1)
    deep = round(length * _DEEP_SHARE[place] * depth * rng.uniform(0.8, 1.2))
    rem = round(length * _REM_SHARE[place] * rng.uniform(0.8, 1.2))
    light = length - deep - rem
    falling = round(light * rng.uniform(0.35, 0.5))
    return [
        *_run(rng, LIGHT, falling, mean_epochs=24),
        *_run(rng, DEEP, deep, mean_epochs=16),
        *_run(rng, LIGHT, light - falling, mean_epochs=24),
        *_run(rng, REM, rem, mean_epochs=18),
    ]


def _run(rng: Random, stage: int, epochs: int, mean_epochs: int) -> list[int]:
    """So many epochs of one stage, broken by arousals about every `mean_epochs`."""
    run: list[int] = []
    while len(run) < epochs:
        run += [stage] * max(1, round(rng.expovariate(1 / mean_epochs)))
        if stage == LIGHT:  # out of light sleep people wake: mostly for moments, sometimes for minutes
            run += [WAKE] * (rng.randint(1, 2) if chance(rng, 0.85) else rng.randint(3, 14))
        else:
            run += [LIGHT] * rng.randint(1, 2)
    return run[:epochs]


def _lose_epochs(rng: Random, stages: list[int]) -> None:
    """Overwrite one to three runs with none, as a sensor does that slipped off."""
    for _ in range(rng.randint(1, 3)):
        start = rng.randrange(len(stages))
        for epoch in range(start, min(len(stages), start + rng.randint(1, 40))):
            stages[epoch] = NONE


def _epochs(minutes: float) -> int:
    return max(1, round(minutes * _EPOCHS_PER_MINUTE))


def _within(value: float, low: float, high: float) -> float:
    return min(high, max(low, value))
