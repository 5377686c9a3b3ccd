"""The sender's own account: what was sent and acknowledged, and what the table should hold therefore.

This is a second reading of the rule which state of a session wins, kept apart on purpose: it shares no code
with the relay or the sink, so that a mistake there can't excuse itself here.

The sender does not know when the relay took a delivery in, only the order in which it sent. A delivery
without an answer, or answered 503, may be stored or not; each event therefore has a span of places in that
order, from its first attempt to the one that was acknowledged, and where spans overlap more than one state
is right.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final

from session_relay.simulate.facts import EPOCH, Facts

STATES: Final = (
    "SESSION_STARTED",
    "INFERENCE_COMPLETE",
    "SESSION_FAILED",
    "SESSION_COMPLETE",
    "SESSION_DELETED",
)
"""Types that carry a session's state, from weakest to strongest."""
_RANK: Final = {name: rank for rank, name in enumerate(STATES)}
_CREDIBLE: Final = timedelta(hours=24)
"""A time further ahead of its arrival orders nothing."""

Key = tuple[str, str]
"""Source and session id."""
Order = tuple[int, int, datetime, int]
"""Rank, sequence, time of occurrence, place in the order of sending."""


@dataclass(slots=True)
class Entry:
    """What is known of one event.

    Attributes:
        first: Place of the first attempt: from here on it may be stored.
        settled: Place of the attempt that was acknowledged; None as long as it is uncertain.
        event_id: As the relay answered it.
    """

    facts: Facts
    first: int
    last: int
    ordered_at: datetime
    settled: int | None = None
    event_id: str | None = None

    def earliest(self) -> Order:
        """The lowest place in the order that the event can have."""
        return self._order(self.first)

    def latest(self) -> Order:
        """The highest place that it can have."""
        return self._order(self.last if self.settled is None else self.settled)

    def _order(self, place: int) -> Order:
        return (_RANK[self.facts.type], self.facts.sequence, self.ordered_at, place)


@dataclass(frozen=True, slots=True)
class Expectation:
    """What a session's row may be: one of these states; absent only where nothing was acknowledged."""

    winners: tuple[Entry, ...]
    certain: bool


@dataclass(slots=True)
class Ledger:
    """The account of one run. Not thread-safe: one event loop writes and reads it."""

    attempts: int = 0
    acknowledged: int = 0
    refused: int = 0
    passed: int = 0
    problems: list[str] = field(default_factory=list)
    """What the relay's answers themselves contradict; without values."""
    _sessions: dict[Key, dict[Facts, Entry]] = field(default_factory=dict)
    _ids: dict[str, Facts] = field(default_factory=dict)
    _named: dict[Facts, str] = field(default_factory=dict)

    def attempt(self, facts: Facts, now: datetime | None = None) -> int:
        """Note that a delivery is about to be sent; from now on its event may be stored.

        Returns:
            The attempt's place in the order of sending.
        """
        self.attempts += 1
        place = self.attempts
        if facts.session_id is None or facts.type not in _RANK:
            return place
        entries = self._sessions.setdefault((facts.source, facts.session_id), {})
        entry = entries.get(facts)
        if entry is None:
            ordered_at = _ordering_time(facts.occurred_at, now or datetime.now(UTC))
            entries[facts] = Entry(facts, place, place, ordered_at)
        else:
            entry.last = place
        return place

    def acknowledge(self, facts: Facts, place: int, event_ids: Sequence[str]) -> None:
        """Note that the attempt at `place` was acknowledged with these event ids."""
        self.acknowledged += 1
        if len(event_ids) != 1:
            self.problems.append(f"an answer named {len(event_ids)} events for one")
            return
        self._check_identity(facts, event_ids[0])
        if facts.session_id is None or facts.type not in _RANK:
            self.passed += 1
            return
        entry = self._sessions[facts.source, facts.session_id][facts]
        entry.event_id = event_ids[0]
        entry.settled = place if entry.settled is None else min(entry.settled, place)

    def refuse(self, facts: Facts, status: int) -> None:
        """Note that the relay refused a delivery for good: nothing of it may be stored by this attempt."""
        self.refused += 1
        self.problems.append(f"one {facts.type} of source {facts.source} was refused with status {status}")

    def expected(self) -> dict[Key, Expectation]:
        """What the table should hold: per session the states that may have won."""
        return {key: _expectation(entries.values()) for key, entries in self._sessions.items()}

    def users(self) -> set[str]:
        """Every user that anything was sent about."""
        known = {facts.user_id for entries in self._sessions.values() for facts in entries}
        return known | {facts.user_id for facts in self._named}

    def _check_identity(self, facts: Facts, event_id: str) -> None:
        """Equal facts have one id for ever, different facts never share one."""
        if self._ids.setdefault(event_id, facts) != facts:
            self.problems.append(f"two different events of source {facts.source} were given one id")
        if self._named.setdefault(facts, event_id) != event_id:
            self.problems.append(f"a repeated {facts.type} of source {facts.source} was given another id")


def _expectation(entries: Collection[Entry]) -> Expectation:
    """An event may have won unless another one, acknowledged, is above it in any case."""
    certain = [entry.earliest() for entry in entries if entry.settled is not None]
    floor = max(certain, default=None)
    winners = [entry for entry in entries if floor is None or entry.latest() >= floor]
    return Expectation(tuple(winners), certain=floor is not None)


def _ordering_time(occurred_at: datetime, now: datetime) -> datetime:
    return EPOCH if occurred_at - now > _CREDIBLE else occurred_at
