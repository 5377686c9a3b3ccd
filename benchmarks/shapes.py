"""The two fixed shapes of events that the sink is measured with.

Changing anything here makes former results incomparable.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from random import Random
from typing import Final
from uuid import UUID

import msgspec

from producers.delivery import Context
from producers.sources import VENDORS
from schemas.event import EventType, SessionEvent
from session_relay.simulate import hypnogram
from session_relay.simulate.facts import ASLEEP, Facts
from session_relay.simulate.nights import Night
from session_relay.simulate.spellings import ASLEEP_SPELLINGS, spell

NARROW_COUNT: Final = 500_000
NIGHT_COUNT: Final = 100_000
_SEED: Final = 20_260_214
_USERS: Final = 5_000
_RECEIVED_US: Final = 1_771_140_000_000_000
_STRIDE: Final = 611_953
"""Prime: ids come in no order, as in the log of one night, where every session reports in its own time."""
_EPOCHS: Final = 960
_NIGHTS: Final = 60
_MOST_BODY_BYTES: Final = 6_000  # without those that are written with a line for every epoch


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A name, and events without end, each of a session of its own."""

    name: str
    text: str
    events: Callable[[], Iterator[SessionEvent]]


def narrow() -> Iterator[SessionEvent]:
    """Inferences without stages, figures and raw: 114 bytes each, the key 17 bytes."""
    rng = Random(_SEED)
    number = 0
    while True:
        yield SessionEvent(
            event_id=_event_id(rng),
            source=ASLEEP,
            tenant="default",
            type=EventType.INFERENCE_COMPLETE,
            user_id=_user_id(number),
            session_id=f"20260214{number * _STRIDE % 10**8:08}",
            sequence=number % 60,
            received_at=_RECEIVED_US + number,
            normaliser=1,
        )
        number += 1


def night() -> Iterator[SessionEvent]:
    """Whole nights of 960 epochs with every figure and the vendor's own body, in its three spellings.

    Sixty nights in rotation, each time as another user's session.
    """
    rng = Random(_SEED)
    templates = list(islice(_read_nights(rng), _NIGHTS))
    number = 0
    while True:
        yield msgspec.structs.replace(
            templates[number % _NIGHTS],
            event_id=_event_id(rng),
            user_id=_user_id(number),
            session_id=f"20260214{number * _STRIDE % 10**6:06}_q7w2e",
            received_at=_RECEIVED_US + number,
        )
        number += 1


NARROW: Final = Shape(name="narrow", text="INFERENCE_COMPLETE, 114 B", events=narrow)
NIGHT: Final = Shape(name="night", text="SESSION_COMPLETE, 960 epochs, figures, raw", events=night)


def _read_nights(rng: Random) -> Iterator[SessionEvent]:
    """Nights as the relay reads them from the bodies that the vendor sends."""
    normalise = VENDORS[ASLEEP].normalise
    start = datetime(2026, 2, 14, 22, 5, tzinfo=UTC)
    number = 0
    while True:
        stages = hypnogram.night(rng)
        if len(stages) < _EPOCHS:
            continue
        facts = Facts(
            source=ASLEEP,
            type="SESSION_COMPLETE",
            user_id=_user_id(0),
            session_id="20260214000000_q7w2e",
            start=start,
            end=start + timedelta(seconds=_EPOCHS * hypnogram.EPOCH_S),
            timezone="Asia/Seoul",
        ).with_night(Night(tuple(stages[:_EPOCHS])))
        body = spell(facts, ASLEEP_SPELLINGS[number % len(ASLEEP_SPELLINGS)], rng.randrange(2**31))
        if len(body) > _MOST_BODY_BYTES:
            continue
        yield normalise(body, Context(ASLEEP, "default", _RECEIVED_US))[0]
        number += 1


def _user_id(number: int) -> str:
    return f"G-20260214-{number % _USERS:06}"


def _event_id(rng: Random) -> str:
    return str(UUID(int=rng.getrandbits(128), version=4))
