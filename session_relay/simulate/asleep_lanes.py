"""What Asleep sends about a night: inferences while it lasts, the whole night, later its revisions.

Asleep orders nothing but inferences: of two states of a finished session with the same end, the last
one received wins, so a lane sends such states one after the other.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import Final

from session_relay.simulate.chance import chance
from session_relay.simulate.deliveries import Delivery, Lane, Session, one_by_one
from session_relay.simulate.facts import ASLEEP, EPOCH, Facts, packed
from session_relay.simulate.hypnogram import WAKE
from session_relay.simulate.nights import Night
from session_relay.simulate.spellings import ASLEEP_SPELLINGS

_FEW: Final = frozenset({"sleep_latency", "time_in_bed", "time_in_sleep", "sleep_efficiency"})
"""The figures of the short reports; the others carry all."""
_FRAME: Final = 10
"""Epochs of one inference frame: five minutes."""
_FUTURE_EVENTS: Final = ("SESSION_PAUSED", "DEVICE_LOW_BATTERY", "NAP_DETECTED")
_STYLES: Final = 2**31


def lane(rng: Random, session: Session) -> Lane:
    """One session from its first inference to its last revision, with what goes wrong on the way."""
    if chance(rng, 0.05):
        return one_by_one([_spelled(rng, _too_short(session))])
    live = _inferences(rng, session)
    late = [live.pop(rng.randrange(len(live)))] if live and chance(rng, 0.2) else []
    whole = _spelled(rng, _complete(rng, session, session.night))
    steps = _arranged(rng, live)
    steps += one_by_one([whole, *_revisions(rng, session, whole), *late])
    if chance(rng, 0.1):
        steps.insert(rng.randrange(len(steps) + 1), (_unknown(rng, session),))
    return steps


def _facts(session: Session, kind: str) -> Facts:
    user = f"G-{session.run}-{session.user_number:05}"
    session_id = f"{session.start:%Y%m%d%H%M%S}_{session.run}{session.number:05}"
    return Facts(source=ASLEEP, type=kind, user_id=user, session_id=session_id)


def _spelled(rng: Random, facts: Facts) -> Delivery:
    return Delivery(facts, rng.choice(ASLEEP_SPELLINGS), rng.randrange(_STYLES))


def _inferences(rng: Random, session: Session) -> list[Delivery]:
    """Up to seven of the night's inferences; each tells the last five to twenty minutes."""
    frames = len(session.night.stages) // _FRAME
    chosen = sorted(rng.sample(range(frames), min(frames, rng.randint(1, 7))))
    deliveries = []
    for sequence in chosen:
        end = (sequence + 1) * _FRAME
        stages = session.night.stages[max(0, end - _FRAME * rng.choice((1, 1, 4))) : end]
        facts = replace(_facts(session, "INFERENCE_COMPLETE"), sequence=sequence, stages=packed(stages))
        deliveries.append(_spelled(rng, facts))
    return deliveries


def _arranged(rng: Random, live: Sequence[Delivery]) -> Lane:
    """In order, out of order, or all at once: their sequence tells them apart, so any way is safe."""
    if chance(rng, 0.6):
        return one_by_one(live)
    if chance(rng, 0.5):
        return one_by_one(rng.sample(live, len(live)))
    return [tuple(live)] if live else []


def _complete(rng: Random, session: Session, night: Night) -> Facts:
    facts = replace(
        _facts(session, "SESSION_COMPLETE"),
        start=session.start,
        end=session.start + timedelta(seconds=len(night.stages) * night.epoch_s),
        timezone=session.timezone if chance(rng, 0.7) else None,
    ).with_night(night, keep=_FEW if chance(rng, 0.2) else None)
    return replace(facts, occurred_at=facts.end or EPOCH)


def _revisions(rng: Random, session: Session, whole: Delivery) -> list[Delivery]:
    """The same facts in another spelling, other facts, and old bodies that arrive again in between."""
    deliveries = []
    if chance(rng, 0.2):
        deliveries.append(_spelled(rng, whole.facts))
    revised = (_rescored(rng, session.night) for _ in range(rng.choice((0, 0, 0, 1, 1, 2))))
    deliveries += [_spelled(rng, _complete(rng, session, night)) for night in revised]
    if deliveries and chance(rng, 0.4):
        deliveries.append(whole)
    return deliveries


def _rescored(rng: Random, night: Night) -> Night:
    """Score some epochs anew; at times the night also turns out to be longer or shorter."""
    stages = list(night.stages)
    for _ in range(rng.randint(1, 5)):
        stages[rng.randrange(len(stages))] = rng.randrange(4)
    if chance(rng, 0.2):
        stages += [WAKE] * rng.randint(1, 20)
    elif chance(rng, 0.25):
        del stages[max(1, len(stages) - rng.randint(1, 10)) :]
    return Night(tuple(stages), night.epoch_s)


def _too_short(session: Session) -> Facts:
    """A session that was ended after minutes: no epochs, no figures."""
    end = session.start + timedelta(minutes=3)
    facts = _facts(session, "SESSION_COMPLETE")
    return replace(
        facts, start=session.start, end=end, occurred_at=end, timezone=session.timezone, stages=b""
    )


def _unknown(rng: Random, session: Session) -> Delivery:
    """An event of a later version of the vendor's interface: accepted, and no row's business."""
    return _spelled(rng, _facts(session, rng.choice(_FUTURE_EVENTS)))
