"""Which state of a session wins: the rule, once in Python for keys that a batch holds several times.

`sql/upsert_sessions.sql` with `sql/state_order.sql` says the same for one event against the row; a property
test holds the two together.
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

from consumers.outcome import Outcome
from schemas.event import MICROSECONDS, RANK, SessionEvent

REMEMBERED_EVENTS: Final = 16
"""How many written events a row remembers, to know their repeats as duplicates."""
FUTURE_US: Final = 24 * 3_600 * MICROSECONDS
"""So long after its own arrival a time may lie."""

Order = tuple[int, int, int, int, int, str]
"""Rank of type, sequence, occurred_at, received_at, normaliser, event_id: the greatest wins."""


class State(NamedTuple):
    """What of a row decides about the next event."""

    order: Order
    applied: tuple[str, ...]
    """Ids of the last 16 events that were written, oldest first."""


class Folded(NamedTuple):
    """What a run of events makes of one session."""

    outcomes: list[Outcome]
    """One for each event, in order."""
    winner: int | None
    """Index of the last event that was written; None where none was."""
    written: tuple[str, ...]
    """Ids of the events that were written, oldest first, the last 16 at most."""


def from_the_future(event: SessionEvent) -> bool:
    """Whether it claims to have occurred more than 24 hours after its arrival."""
    return event.occurred_at > event.received_at + FUTURE_US


def order_of(event: SessionEvent) -> Order:
    """What an event is compared by; a time from the future counts as none told."""
    occurred_us = 0 if from_the_future(event) else event.occurred_at
    return (
        RANK[event.type],
        event.sequence,
        occurred_us,
        event.received_at,
        event.normaliser,
        event.event_id,
    )


def apply(state: State | None, event: SessionEvent) -> tuple[State, Outcome]:
    """Apply one event to a session's state, as if it came alone."""
    order = order_of(event)
    if state is None:
        return State(order, (event.event_id,)), Outcome.WRITTEN
    if event.event_id in state.applied:
        return state, Outcome.DUPLICATE
    if order > state.order:
        return State(order, (*state.applied, event.event_id)[-REMEMBERED_EVENTS:]), Outcome.WRITTEN
    return state, Outcome.STALE


def fold(state: State | None, events: Iterable[SessionEvent]) -> Folded:
    """Apply a session's events one after the other, in the order of the log."""
    outcomes: list[Outcome] = []
    written: list[str] = []
    winner = None
    for index, event in enumerate(events):
        state, outcome = apply(state, event)
        outcomes.append(outcome)
        if outcome is Outcome.WRITTEN:
            winner = index
            written.append(event.event_id)
    return Folded(outcomes, winner, tuple(written[-REMEMBERED_EVENTS:]))
