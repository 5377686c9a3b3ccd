"""Deliveries, and the steps and lanes that they are sent in.

Within a lane, one session's way, the steps wait for each other, because the order of arrival decides between
states that nothing else tells apart; the deliveries of one step go out at once, and lanes run side by side.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from random import Random
from typing import Final

from session_relay.simulate.chance import chance
from session_relay.simulate.facts import Facts
from session_relay.simulate.nights import Night
from session_relay.simulate.spellings import ZONES, Spelling, spell

_REPEATED: Final = 0.12
"""Share of the deliveries that their vendor sends again although they were answered."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request: what it says, and how. Equal deliveries have the same bytes, as a vendor's retry has."""

    facts: Facts
    spelling: Spelling
    style: int

    def body(self) -> bytes:
        """The request's body; the same delivery always gives the same bytes."""
        return _body(self)


@lru_cache(maxsize=512)  # repeats come soon after, so few bodies are spelled twice
def _body(delivery: Delivery) -> bytes:
    return spell(delivery.facts, delivery.spelling, delivery.style)


Step = tuple[Delivery, ...]
"""Deliveries that may go out at once: among them no two events that only their arrival orders."""
Lane = list[Step]


@dataclass(frozen=True, slots=True)
class Session:
    """What the lanes of both vendors start from: whose night, when, and where it was slept."""

    run: str
    number: int
    night: Night
    start: datetime
    timezone: str

    @property
    def end(self) -> datetime:
        """When the night ended."""
        return self.start + timedelta(seconds=len(self.night.stages) * self.night.epoch_s)

    @property
    def user_number(self) -> int:
        """Every second session is another user's."""
        return self.number // 2


def session(rng: Random, run: str, number: int, night: Night, now: datetime) -> Session:
    """Place a night on one of the thirty evenings before `now`, ended by then, in one of the zones."""
    length = timedelta(seconds=len(night.stages) * night.epoch_s)
    before = timedelta(days=rng.randrange(30), seconds=30 * rng.randrange(240))
    start = (now - length - before).replace(microsecond=0)
    return Session(run, number, night, start, rng.choice(sorted(ZONES)))


def one_by_one(deliveries: Iterable[Delivery]) -> Lane:
    """Each delivery a step of its own."""
    return [(delivery,) for delivery in deliveries]


def with_repeats(rng: Random, lane: Lane) -> Lane:
    """Send some deliveries again, byte by byte: at once, right after, or at the lane's end."""
    result, at_end = Lane(), Lane()
    for step in lane:
        again = tuple(delivery for delivery in step if chance(rng, _REPEATED))
        when = rng.random()
        together = bool(again) and when < 1 / 3
        result.append(step + again if together else step)
        if again and not together:
            (result if when < 2 / 3 else at_end).append(again)
    return result + at_end


def cut(lane: Lane, count: int) -> Lane:
    """The lane's first `count` deliveries; a sender may stop at any moment."""
    kept, left = Lane(), count
    for step in lane:
        if left <= 0:
            break
        kept.append(step[:left])
        left -= len(step)
    return kept
