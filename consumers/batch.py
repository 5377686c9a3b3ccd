"""What travels from the polling thread to the writing one."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from confluent_kafka import Message

from config.errors import Poison
from schemas.event import SessionEvent

Headers = list[tuple[str, bytes | None]]


class Read(NamedTuple):
    """A decoded record with its place in the log."""

    event: SessionEvent
    partition: int
    offset: int
    row: tuple[Any, ...] | None = None
    """Its staged row, where the thread that decoded it built that too: the writing one has less time."""


class Undecodable(NamedTuple):
    """A record that can never be stored, with all that a dead letter keeps of it."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    poison: Poison


def undecodable(partition: int, offset: int, message: Message, poison: Poison) -> Undecodable:
    """Keep a record's own bytes (the client library's types allow strings; it hands out bytes)."""
    headers: Headers = list(message.headers() or [])  # type: ignore[arg-type]
    return Undecodable(partition, offset, message.key(), message.value(), headers, poison)


class Span(NamedTuple):
    """The offsets of one partition that a batch covers: from `begin` up to, not including, `end`."""

    begin: int
    end: int
    records: int
    """How many records lie in it; the rest are offsets that the log does not hold."""


@dataclass(kw_only=True)
class Batch:
    """Some records of some partitions, contiguous in each."""

    spans: dict[int, Span] = field(default_factory=dict)
    reads: list[Read] = field(default_factory=list)
    poison: list[Undecodable] = field(default_factory=list)
    size_bytes: int = 0

    @property
    def rows(self) -> int:
        """Records of any kind."""
        return len(self.reads) + len(self.poison)
