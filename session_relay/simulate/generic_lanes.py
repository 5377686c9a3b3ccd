"""What a well-behaved sender sends in the event's own terms: starts, revisions with numbers, deletions.

Here the sender numbers its states, so that most of them may arrive in any order; and some tell a time that
lies in the future, which must not win by it.
"""

from dataclasses import replace
from datetime import datetime, timedelta
from random import Random
from typing import Final

from session_relay.simulate.chance import chance
from session_relay.simulate.deliveries import Delivery, Lane, Session, one_by_one
from session_relay.simulate.facts import GENERIC, Facts, packed
from session_relay.simulate.nights import Night
from session_relay.simulate.spellings import ZONES, Spelling

_DEVICES: Final = ("bedside-radar", "ring", "wrist-band", "mattress-strip")
_NAMES: Final = ("nora", "jürgen", "søren", "愛子", "o'brien", "user 7")
"""Ids are opaque: letters of any script, quotes and spaces are nobody's business but the sender's."""
_PASSED: Final = ("SESSION_CHANGED", "USER_REVOKED", "DEVICE_PAIRED")
"""Types that no row holds, and a name of the future."""
_FRAME: Final = 10
_STYLES: Final = 2**31


def lane(rng: Random, session: Session, now: datetime) -> Lane:
    """One session's states, in order or shuffled, with deletions, failures and clocks that run ahead."""
    states = [_said(rng, _facts(session, "SESSION_STARTED"), session.start)]
    states += _inferences(rng, session)
    if chance(rng, 0.1):
        states.append(_said(rng, _facts(session, "SESSION_FAILED"), session.end))
    for revision in range(1, rng.choice((1, 1, 2, 3)) + 1):
        states.append(_complete(rng, session, revision))
    if chance(rng, 0.2):
        states.append(_ahead_of_its_time(rng, states[-1], now))
    if chance(rng, 0.1):
        states.append(_said(rng, _facts(session, "SESSION_DELETED"), session.end + timedelta(hours=1)))
    if chance(rng, 0.35):
        rng.shuffle(states)
    steps = one_by_one(states)
    if chance(rng, 0.1):
        steps.insert(rng.randrange(len(steps) + 1), (_passed(rng, session),))
    return steps


def _facts(session: Session, kind: str) -> Facts:
    name = _NAMES[session.user_number % len(_NAMES)]
    return Facts(
        source=GENERIC,
        type=kind,
        user_id=f"{name}/{session.run}/{session.user_number}",
        session_id=f"{session.run}-night-{session.number}",
        start=session.start,
        timezone=session.timezone,
        utc_offset_s=60 * ZONES[session.timezone],
        epoch_s=session.night.epoch_s,
        attributes=(("device", _DEVICES[session.number % len(_DEVICES)]), ("firmware", "4.1.0")),
    )


def _said(rng: Random, facts: Facts, at: datetime) -> Delivery:
    return Delivery(replace(facts, occurred_at=at), Spelling.GENERIC, rng.randrange(_STYLES))


def _inferences(rng: Random, session: Session) -> list[Delivery]:
    frames = len(session.night.stages) // _FRAME
    deliveries = []
    for sequence in sorted(rng.sample(range(frames), min(frames, rng.randint(0, 3)))):
        end = (sequence + 1) * _FRAME
        at = session.start + timedelta(seconds=end * session.night.epoch_s)
        stages = packed(session.night.stages[end - _FRAME : end])
        facts = replace(_facts(session, "INFERENCE_COMPLETE"), sequence=sequence, stages=stages)
        deliveries.append(_said(rng, facts, at))
    return deliveries


def _complete(rng: Random, session: Session, revision: int) -> Delivery:
    stages = list(session.night.stages)
    if revision > 1:
        stages[rng.randrange(len(stages))] = rng.randrange(4)
    facts = replace(_facts(session, "SESSION_COMPLETE"), end=session.end, sequence=revision)
    return _said(rng, facts.with_night(Night(tuple(stages), session.night.epoch_s)), session.end)


def _ahead_of_its_time(rng: Random, state: Delivery, now: datetime) -> Delivery:
    """The same state from a clock three days ahead: for the order its time counts as none."""
    return _said(rng, state.facts, now + timedelta(days=3))


def _passed(rng: Random, session: Session) -> Delivery:
    kind = rng.choice(_PASSED)
    facts = replace(_facts(session, kind), start=None, timezone=None, attributes=())
    if kind != "DEVICE_PAIRED":
        facts = replace(facts, session_id=None)
    return _said(rng, facts, session.end)
