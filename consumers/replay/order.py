"""What an operator asked to be replayed, and the offsets that this means."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from config.errors import RelayError, SettingsError
from consumers.replay.held import Held
from schemas.event import EventType

Bound = datetime | int
"""A time, or an offset in each partition."""


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is asked for; two orders that are equal are one replay, which the second goes on with."""

    target: str | None = None
    """Where records go; None for a rebuild."""
    first: str | None = None
    """`--from` as it was typed."""
    last: str | None = None
    """`--to` as it was typed."""
    user: str | None = None
    source: str | None = None
    type: EventType | None = None
    renormalise: bool = False
    archive: str | None = None
    """`--from-archive` as it was typed."""

    @property
    def kind(self) -> str:
        """`topic` or `rebuild`."""
        return "topic" if self.target else "rebuild"

    def asked(self) -> dict[str, Any]:
        """For the table, without what was left out."""
        return {"kind": self.kind} | {name: told for name, told in asdict(self).items() if told}


class Range(NamedTuple):
    """Offsets of one partition, from `begin` up to, not including, `end`."""

    begin: int
    end: int


Ranges = Mapping[int, Range]


class Timed(Protocol):
    """A log that can be asked for a time."""

    held: Held

    def at_time(self, time_ms: int) -> Mapping[int, int]:
        """By partition, the first offset of that time or a later one; the end where there is none."""
        ...


def ranges_between(origin: Timed, first: Bound | None, last: Bound | None) -> Ranges:
    """The offsets between two bounds that the log holds; what was left out is where the log begins or ends.

    A time means the records that were published from it on, up to but without the other; an offset is
    taken in each partition.

    Raises:
        SettingsError: The bounds are reversed.
        RelayError: None of it is in the log.
    """
    if first is not None and last is not None and type(first) is type(last) and first >= last:  # type: ignore[operator]
        raise SettingsError("--to has to lie after --from")
    held = origin.held
    begins, ends = _offsets(origin, first, held.first), _offsets(origin, last, held.end)
    ranges = {}
    for number, end in held.end.items():
        begin = min(max(begins[number], held.first[number]), end)
        ranges[number] = Range(begin, max(begin, min(ends[number], end)))
    if not any(map(_count, ranges.values())) and held.first != held.end:
        raise RelayError(f"nothing of that range is in the log: {told_of(held)}")
    return ranges


def _count(range_: Range) -> int:
    return range_.end - range_.begin


def told_of(held: Held) -> str:
    """Where the log begins and ends, for people."""
    logs = (f"partition {n} has {first} to {held.end[n]}" for n, first in sorted(held.first.items()))
    return "; ".join(logs)


def _offsets(origin: Timed, bound: Bound | None, default: Mapping[int, int]) -> Mapping[int, int]:
    if bound is None:
        return default
    if isinstance(bound, datetime):
        return origin.at_time(max(0, int(bound.timestamp() * 1000)))
    return dict.fromkeys(origin.held.end, bound)
