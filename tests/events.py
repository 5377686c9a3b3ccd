"""Random but plausible events, and a plain reading of the rule to hold the sink against."""

import random
import uuid
from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from schemas.event import EventType, SessionEvent
from schemas.identity import event_id

NOW_US = 1_780_000_000_000_000
_DAY_US = 86_400_000_000
TYPES = (
    EventType.SESSION_STARTED,
    EventType.INFERENCE_COMPLETE,
    EventType.INFERENCE_COMPLETE,
    EventType.SESSION_FAILED,
    EventType.SESSION_COMPLETE,
    EventType.SESSION_DELETED,
    EventType.UNKNOWN,
)


def made(
    *,
    session: str = "s-1",
    user: str = "u-1",
    kind: EventType = EventType.INFERENCE_COMPLETE,
    sequence: int = 0,
    received_at: int = NOW_US,
    occurred_at: int = 0,
    stages: bytes = b"\x00\x01\x02",
) -> SessionEvent:
    """An event with its true id."""
    event = SessionEvent(
        event_id="0" * 36,
        source="asleep",
        tenant="tenant",
        type=kind,
        user_id=user,
        session_id=session,
        sequence=sequence,
        occurred_at=occurred_at,
        received_at=received_at,
        normaliser=1,
        sleep_stages=stages,
    )
    return msgspec.structs.replace(event, event_id=event_id(event))


def history(chance: random.Random, count: int, sessions: int = 4, prefix: str = "s") -> list[SessionEvent]:
    """A log of events of a few sessions: revisions, ties, repeats, late arrivals, times from the future."""
    log: list[SessionEvent] = []
    for index in range(count):
        if log and chance.random() < 0.25:  # a vendor's retry: the same facts, received later
            log.append(msgspec.structs.replace(chance.choice(log), received_at=NOW_US + index))
            continue
        number = chance.randrange(sessions)
        event = made(
            session=f"{prefix}-{number}",
            user=f"u-{number % 3}",
            kind=chance.choice(TYPES),
            sequence=chance.randrange(3),
            received_at=NOW_US + chance.randrange(4),
            occurred_at=chance.choice([0, NOW_US, NOW_US + 2 * _DAY_US]),
            stages=bytes([chance.randrange(4)] * 3),
        )
        log.append(event)
    return log


Key = tuple[str, str, str]
"""Tenant, source, session: one row."""
APPLIED_OUTCOMES = ("written", "duplicate", "stale", "passed")


def spread(chance: random.Random, count: int, sessions: int) -> list[SessionEvent]:
    """The same with a user for each session, so that it fills every partition."""
    log = history(chance, count, sessions)
    return [msgspec.structs.replace(event, user_id=f"user-{event.session_id}") for event in log]


class Expected(NamedTuple):
    """What the rule, read plainly, makes of a log."""

    states: dict[Key, tuple[str, list[str]]]
    """By row: the winning event's id, and the ids that the row remembers."""
    told: list[str]
    """What becomes of each record, in the order of the log."""

    @property
    def rows(self) -> dict[str, tuple[str, list[str]]]:
        """The states by session alone, for logs of one tenant and one source."""
        return {session: state for (_, _, session), state in self.states.items()}

    @property
    def outcomes(self) -> dict[str, int]:
        """How many records have each outcome."""
        return {outcome: self.told.count(outcome) for outcome in APPLIED_OUTCOMES}


def expected_of(log: Sequence[SessionEvent]) -> Expected:
    """Apply events one at a time, in the words of the contract; shares no code with the product."""
    ranks = ["SESSION_STARTED", "INFERENCE_COMPLETE", "SESSION_FAILED", "SESSION_COMPLETE", "SESSION_DELETED"]
    winners: dict[Key, SessionEvent] = {}
    remembered: dict[Key, list[str]] = {}
    told = []

    def order(event: SessionEvent) -> tuple[object, ...]:
        early = event.occurred_at - event.received_at <= _DAY_US
        occurred = event.occurred_at if early else 0
        version = event.received_at, event.normaliser, uuid.UUID(event.event_id).int
        return ranks.index(str(event.type)), event.sequence, occurred, *version

    for event in log:
        key = event.tenant, event.source, str(event.session_id)
        if str(event.type) not in ranks:
            told.append("passed")
        elif event.event_id in remembered.get(key, []):
            told.append("duplicate")
        elif key not in winners or order(event) > order(winners[key]):
            told.append("written")
            winners[key] = event
            remembered[key] = [*remembered.get(key, []), event.event_id][-16:]
        else:
            told.append("stale")
    return Expected({key: (winners[key].event_id, remembered[key]) for key in winners}, told)
