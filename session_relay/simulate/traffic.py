"""The plan of what is sent: a seeded stream of lanes, one per session, of both vendors."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from random import Random
from typing import Final

from session_relay.simulate import asleep_lanes, generic_lanes
from session_relay.simulate.deliveries import Lane, Session, cut, session, with_repeats
from session_relay.simulate.facts import ASLEEP, GENERIC
from session_relay.simulate.hypnogram import EPOCH_S
from session_relay.simulate.nights import Night

_ASLEEP_SHARE: Final = 0.7


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What a run sends; equal plans on equal nights give the same deliveries.

    Attributes:
        seed: Of everything that is drawn.
        run: Part of every user and session id, so that two runs never meet in one table.
        now: Nights lie in the month before it; aware.
        sources: Those that take part, of "asleep" and "generic".
    """

    seed: int
    run: str
    now: datetime
    sources: tuple[str, ...] = (ASLEEP, GENERIC)

    def lanes(self, nights: Iterator[Night], count: int) -> Iterator[Lane]:
        """Yield lanes that hold `count` deliveries in all; the last one is cut to fit."""
        rng = Random(self.seed)  # noqa: S311 - repeatable traffic, not a secret
        left, number = count, 0
        while left > 0:
            placed = session(rng, self.run, number, next(nights), self.now)
            lane = cut(with_repeats(rng, self._lane(rng, placed)), left)
            left -= sum(len(step) for step in lane)
            number += 1
            yield lane

    def _lane(self, rng: Random, placed: Session) -> Lane:
        # Asleep has no field for the length of an epoch: its nights have epochs of 30 s.
        for_asleep = ASLEEP in self.sources and placed.night.epoch_s == EPOCH_S
        if for_asleep and (GENERIC not in self.sources or rng.random() < _ASLEEP_SHARE):
            return asleep_lanes.lane(rng, placed)
        return generic_lanes.lane(rng, placed, self.now)
