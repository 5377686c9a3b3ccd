"""What travels from the polling thread to the writing one, and back when it is committed."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Self

import msgspec
from confluent_kafka import Message

from config.errors import Poison
from schemas.codec import decode
from schemas.event import SessionEvent
from schemas.reader import Read as ReadBody

Headers = list[tuple[str, bytes | None]]


Key = tuple[bytes, bytes, bytes]
"""Tenant, source and session id in UTF-8: whose row a record is about."""


class Read(msgspec.Struct, gc=False, eq=False):
    """A record that can be stored, with its place in the log."""

    message: Message
    """As it came, in case that Postgres rejects it: a dead letter has the record's own bytes."""
    partition: int
    offset: int
    row: bytes
    """Its staged row as COPY takes it; empty if it touches no row."""
    key: Key | None
    """None if it touches no row."""
    received_us: int
    foreign: Callable[[int], ReadBody] | None = None
    """Knows the reader of its schema id, if that is a registry's."""
    known_headers: Headers | None = None
    """Once somebody has asked for them."""

    @property
    def headers(self) -> Headers:
        """The record's headers: a message may be asked but once (see `headers_of`)."""
        if self.known_headers is None:
            self.known_headers = headers_of(self.message)
        return self.known_headers

    @property
    def event(self) -> SessionEvent:
        """The event itself, decoded anew: few records need more than their row."""
        return decode(self.message.value(), self.foreign)

    def unstorable(self, poison: Poison) -> "Unstorable":
        """The same record, after something was found that keeps it from being stored."""
        key, value = self.message.key(), self.message.value()
        return Unstorable(self.partition, self.offset, key, value, self.headers, poison)


class Unstorable(NamedTuple):
    """A record that can never be stored, with all that a dead letter keeps of it."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Headers
    poison: Poison


def unstorable(partition: int, offset: int, message: Message, poison: Poison) -> Unstorable:
    """Keep a record's own bytes (the client library's types allow strings; it hands out bytes)."""
    return Unstorable(partition, offset, message.key(), message.value(), headers_of(message), poison)


def headers_of(message: Message) -> Headers:
    """A message's headers; none at all where a name is no UTF-8. Ask once for each message.

    The binding raises SystemError for such a name, and to a second call it answers with a hole in the
    list that ends the interpreter (confluent-kafka 2.15.1).
    """
    try:
        return message.headers() or []  # type: ignore[return-value]  # it hands out a new list, with bytes
    except SystemError:
        return []


class Skipped(NamedTuple):
    """A record that an operator has told the sinks to step over; its bytes are in `dead_letters` already."""

    partition: int
    offset: int


class Span(msgspec.Struct):
    """The offsets of one partition that a batch covers: from `begin` up to, not including, `end`.

    It grows with its batch, until that is sent.
    """

    begin: int
    end: int
    records: int
    """How many records lie in it; the rest are offsets that the log does not hold."""


@dataclass(kw_only=True)
class Batch:
    """Some records of some partitions, contiguous in each."""

    spans: dict[int, Span] = field(default_factory=dict)
    reads: list[Read] = field(default_factory=list)
    poison: list[Unstorable] = field(default_factory=list)
    skipped: list[Skipped] = field(default_factory=list)
    size_bytes: int = 0

    @property
    def rows(self) -> int:
        """Records of any kind."""
        return len(self.reads) + len(self.poison) + len(self.skipped)

    def set_aside(self, found: Iterable[Unstorable]) -> None:
        """Count these of its records among its poison, and no longer among those that are to be written."""
        poison = {(record.partition, record.offset): record for record in found}
        self.reads = [read for read in self.reads if (read.partition, read.offset) not in poison]
        self.poison = [*self.poison, *poison.values()]

    def without(self, partitions: Collection[int]) -> Self:
        """What is left of it when these partitions go."""
        kept = type(self)(
            spans={partition: span for partition, span in self.spans.items() if partition not in partitions},
            reads=[read for read in self.reads if read.partition not in partitions],
            poison=[record for record in self.poison if record.partition not in partitions],
            skipped=[record for record in self.skipped if record.partition not in partitions],
        )
        kept.size_bytes = self.size_bytes if kept.spans else 0  # an upper bound will do: it only ends a batch
        return kept


Groups = Sequence[Sequence[Read]]
"""Records of sessions that a batch holds several times: a group a session, in order."""


class Parted(NamedTuple):
    """A batch's records by whether their session is in it once or several times; in order."""

    once: Sequence[Read]
    several: Groups
    count_once: Counter[int]
    """Of the first, how many each partition has: counted here, as a rule while another batch is written."""
    count_without_row: Counter[int]
    """Likewise of those that touch no row, and are in neither."""


def parted(reads: Sequence[Read]) -> Parted:
    """Part a batch's records."""
    if len({read.key for read in reads if read.key}) == len(reads):  # as nearly always
        return Parted(reads, [], Counter(read.partition for read in reads), Counter())
    groups = groups_of(reads)
    once = [group[0] for group in groups if len(group) == 1]
    return Parted(
        once,
        [group for group in groups if len(group) > 1],
        Counter(read.partition for read in once),
        Counter(read.partition for read in reads if read.key is None),
    )


def groups_of(reads: Iterable[Read]) -> Groups:
    """The records of each session, in order; without those that touch no row."""
    by_key: dict[Key, list[Read]] = {}
    for read in reads:
        if read.key is not None:
            by_key.setdefault(read.key, []).append(read)
    return list(by_key.values())
