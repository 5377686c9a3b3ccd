"""The files themselves: Avro object containers, deflated, which most readers take.

A record is there twice: as it stood in the log, which is what a replay sends, and as an event, for readers
that know Avro and not our frame. The second costs little: deflate finds the first a few kilobytes before.
Source: Apache Avro 1.12, "Object Container Files"; RFC 1951.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import IO, Any, Final, cast

import fastavro
import msgspec
from confluent_kafka import Message
from fastavro.write import Writer

from config.errors import Poison, StoppedForSafety
from consumers.archive.manifest import Piece, path_of
from consumers.archive.place import Draft, Place
from consumers.batch import headers_of
from schemas.codec import decode
from schemas.reader import Read
from schemas.versions import LATEST

_KEPT: Final[list[dict[str, Any]]] = [
    {"name": "offset", "type": "long", "doc": "Its place in the partition."},
    {
        "name": "timestamp_ms",
        "type": ["null", "long"],
        "doc": "When it was published, in milliseconds since 1970-01-01 UTC, as Kafka keeps it.",
    },
    {"name": "key", "type": ["null", "bytes"], "doc": "The user id in UTF-8, as a rule."},
    {
        "name": "headers",
        "doc": "In the log's order; a name may be there twice.",
        "type": {
            "type": "array",
            "items": {
                "type": "record",
                "name": "Header",
                "fields": [
                    {"name": "name", "type": "string"},
                    {"name": "value", "type": ["null", "bytes"]},
                ],
            },
        },
    },
    {"name": "value", "type": ["null", "bytes"], "doc": "The bytes in the log: frame and body."},
]
_EVENT: Final = {
    "name": "event",
    "type": ["null", json.loads(LATEST.text)],
    "default": None,
    "doc": "The same, read; null where it can't be read.",
}
_RECORD: Final = {"type": "record", "name": "ArchivedRecord", "namespace": "sessionrelay.archive"}
SCHEMA: Final[Any] = fastavro.parse_schema({**_RECORD, "fields": [*_KEPT, _EVENT]})
"""What a file's records are."""
_AS_IN_THE_LOG: Final[Any] = {**_RECORD, "fields": _KEPT}
"""What a replay reads of them: times that no calendar has are then no matter."""
_SYNC_BYTES: Final = 256 * 1024
"""Of one block: deflate begins anew with each, and 64 KiB cost a sixth more."""
_OF_A_SCHEMA: Final = (fastavro.schema.SchemaParseException, fastavro.read.SchemaResolutionError)
_NOTHING_READ: Final = (EOFError, ValueError, IndexError, KeyError, TypeError, OverflowError, MemoryError)


class Damaged(Exception):
    """A file can't be read as what it should be; the message says how, without its content."""


class Archived:
    """A record out of a file, as a `Message` of Kafka's tells one; that has a constructor for tests alone."""

    __slots__ = ("_headers", "_key", "_offset", "_partition", "_timestamp_ms", "_value")

    def __init__(self, partition: int, fields: Mapping[str, Any]) -> None:
        self._partition, self._offset = partition, fields["offset"]
        self._key, self._value, self._timestamp_ms = fields["key"], fields["value"], fields["timestamp_ms"]
        self._headers = [(header["name"], header["value"]) for header in fields["headers"]]

    def partition(self) -> int:
        """Number of its partition."""
        return self._partition

    def offset(self) -> int:
        """Its place there."""
        return int(self._offset)

    def key(self) -> bytes | None:
        """Its own key."""
        return cast("bytes | None", self._key)

    def value(self) -> bytes | None:
        """Its own bytes."""
        return cast("bytes | None", self._value)

    def headers(self) -> list[tuple[str, bytes | None]]:
        """Its own headers."""
        return self._headers

    def timestamp(self) -> tuple[int, int]:
        """Kind and milliseconds; kind 0 if it has none, 1 if it has one."""
        return (0, -1) if self._timestamp_ms is None else (1, self._timestamp_ms)

    def error(self) -> None:
        """None, ever."""


class Filling:
    """One file that is being written.

    Args:
        place: Where.
        partition: Of its records.
        day: Of its records.
        begin: Its first offset.
        foreign: Finds the reader of a schema id that is not ours, where there is a registry.
    """

    def __init__(
        self, place: Place, partition: int, day: str, begin: int, foreign: Callable[[int], Read] | None
    ) -> None:
        self.partition, self.day, self.begin = partition, day, begin
        self.bytes_taken = 0
        """Of keys and values."""
        self._path, self._foreign = path_of(partition, day, begin), foreign
        self._records = self._unreadable = 0
        self._end = begin
        self._times: list[int] = []
        self._draft = Draft(place, self._path)
        try:
            told = {"sessionrelay.partition": str(partition), "sessionrelay.day": day}
            self._writer = Writer(
                cast("IO[bytes]", self._draft),
                SCHEMA,
                codec="deflate",
                sync_interval=_SYNC_BYTES,
                metadata=told,
            )
        except BaseException:
            self._draft.abandon()
            raise

    def add(self, offset: int, message: Message) -> None:
        """Append a record.

        Raises:
            RelayError: It can't be written.
            RegistryUnavailable: What its schema is can't be found out now.
        """
        value = message.value()
        kind, timestamp_ms = message.timestamp()
        event = _event(value, self._foreign)
        self._writer.write(
            {
                "offset": offset,
                "timestamp_ms": timestamp_ms if kind else None,
                "key": message.key(),
                "headers": [{"name": name, "value": told} for name, told in headers_of(message)],
                "value": value,
                "event": event,
            }
        )
        self._records, self._end = self._records + 1, offset + 1
        self._unreadable += event is None
        self.bytes_taken += len(value or b"") + len(message.key() or b"")
        if kind:
            times = (*self._times, timestamp_ms)
            self._times = [min(times), max(times)]

    def finish(self) -> Piece:
        """Make it safe under its name; it belongs to the archive when the manifest says so."""
        self._writer.flush()
        self._draft.finish()
        return Piece(
            path=self._path,
            partition=self.partition,
            day=self.day,
            begin=self.begin,
            end=self._end,
            records=self._records,
            unreadable=self._unreadable,
            earliest_ms=self._times[0] if self._times else None,
            latest_ms=self._times[-1] if self._times else None,
            schema_version=LATEST.number,
            size_bytes=self._draft.size_bytes,
            sha256=self._draft.sha256,
        )

    def abandon(self) -> None:
        """Leave nothing of it, unless it is finished."""
        self._draft.abandon()


def _event(value: bytes | None, foreign: Callable[[int], Read] | None) -> Any:
    """The event with the name of its branch, so that fastavro does not try it; None if there is none."""
    try:
        event = decode(value, foreign)
    except (Poison, StoppedForSafety):  # no event, or one of tomorrow: its bytes are kept
        return None
    return "sessionrelay.SessionEvent", msgspec.to_builtins(event, builtin_types=(bytes,))


def records_of(file: IO[bytes], partition: int) -> Iterator[Archived]:
    """A file's records, one after the other.

    Raises:
        Damaged: It is truncated, or no such file.
    """
    try:
        for fields in fastavro.reader(file, _AS_IN_THE_LOG):
            yield Archived(partition, cast("dict[str, Any]", fields))
    except _NOTHING_READ as error:
        raise Damaged(f"can't be read: {type(error).__name__}") from None
    except Exception as error:
        if type(error).__module__ != "zlib" and not isinstance(error, _OF_A_SCHEMA):
            raise
        raise Damaged(f"can't be read: {type(error).__name__}") from None
