"""One event as one staged row, every column in the form that binary COPY puts on the wire.

Binary COPY carries no types: an 8-byte integer is a timestamptz if the column is one. So times, UUIDs,
jsonb and arrays are integers and bytes here.
Source: PostgreSQL manual, COPY, "Binary Format", and the send functions of the types.
"""

import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any, Final
from uuid import UUID

import msgspec
from msgspec.structs import asdict

from schemas.event import MICROSECONDS, EventType, SessionEvent, Statistics

COLUMNS: Final[dict[str, str]] = {
    "tenant": "text",
    "source": "text",
    "session_id": "text",
    "user_id": "text",
    "event_id": "bytea",  # uuid: 16 bytes
    "type": "text",
    "sequence": "int8",
    "occurred_at": "int8",  # timestamptz: microseconds since 2000-01-01
    "received_at": "int8",
    "normaliser": "int4",
    "session_start_time": "int8",
    "session_end_time": "int8",
    "timezone": "text",
    "utc_offset_seconds": "int4",
    "sleep_stages": "bytea",
    "epoch_seconds": "int4",
    "time_in_bed": "float8",
    "time_in_sleep": "float8",
    "time_in_wake": "float8",
    "time_in_light": "float8",
    "time_in_deep": "float8",
    "time_in_rem": "float8",
    "sleep_latency": "float8",
    "sleep_efficiency": "float8",
    "waso_count": "int8",
    "statistics": "bytea",  # jsonb: a version byte, then text
    "attributes": "bytea",
    "kafka_topic_id": "bytea",
    "kafka_partition": "int4",
    "kafka_offset": "int8",
    "applied_event_ids": "bytea",  # uuid[]: see `_uuid_array`
    "folded": "bool",
}
"""The stage's columns in the order of a row, each with the form in which it is written."""

Y2000_US: Final = 946_684_800 * MICROSECONDS
_OWN_COLUMN: Final = frozenset(COLUMNS)
_OTHER_FIGURES: Final = tuple(f for f in Statistics.__struct_fields__ if f not in _OWN_COLUMN)
_FIGURES: Final = tuple(COLUMNS)[tuple(COLUMNS).index("time_in_bed") : tuple(COLUMNS).index("attributes")]
FIGURE_TYPES: Final = tuple(COLUMNS[name] for name in _FIGURES)
"""Of the columns that a night's figures fill."""
_own_figures: Final = itemgetter(*(name for name in _FIGURES if name in Statistics.__struct_fields__))
_NO_FIGURES: Final = (None,) * len(FIGURE_TYPES)
_ROW_TYPES: Final = tuple(COLUMNS.values())
_TYPE_NAMES: Final = {kind: kind.value for kind in EventType}  # `.value` is a call, felt per record
_UUID_OID: Final = 2950
_UUID_SIZE: Final = struct.pack(">i", 16)

_json = msgspec.json.Encoder(order="deterministic")


def staged_row(event: SessionEvent, place: tuple[UUID, int, int]) -> tuple[Any, ...]:
    """Build the row of an event that was read at `place` (topic id, partition, offset).

    Args:
        event: The event; a deletion keeps its key and loses its content here.
        place: Where in the log it stands.
    """
    topic_id, partition, offset = place
    event_id = bytes.fromhex(event.event_id.replace("-", ""))
    deleted = event.type is EventType.SESSION_DELETED
    start, end = event.session_start_time, event.session_end_time
    return (
        event.tenant,
        event.source,
        event.session_id,
        event.user_id,
        event_id,
        _TYPE_NAMES[event.type],
        event.sequence,
        event.occurred_at - Y2000_US,
        event.received_at - Y2000_US,
        event.normaliser,
        None if deleted or start is None else start - Y2000_US,
        None if deleted or end is None else end - Y2000_US,
        None if deleted else event.timezone,
        None if deleted else event.utc_offset_seconds,
        None if deleted else event.sleep_stages,
        event.epoch_seconds,
        *(_NO_FIGURES if deleted or event.statistics is None else figures(asdict(event.statistics))),
        jsonb({} if deleted else event.attributes),
        topic_id.bytes,
        partition,
        offset,
        ONE_UUID + event_id,
        False,
    )


def folded_row(row: bytes, written: Iterable[str]) -> bytes:
    """The row of a key that its batch holds several times, made of its winner's own as COPY takes it.

    Args:
        row: The winner's, as of a key that is there once.
        written: The ids of all the key's events that were written.
    """
    return row[:-_LAST_COLUMNS] + sized(_uuid_array([UUID(one).bytes for one in written])) + _BOOL(1, True)


def figures(told: Mapping[str, Any]) -> tuple[Any, ...]:
    """The values of the columns that a night's figures fill; those without a column share the last."""
    others = {name: value for name in _OTHER_FIGURES if (value := told[name]) is not None}
    return (*_own_figures(told), jsonb(others))


def jsonb(value: Mapping[str, Any]) -> bytes:
    """What a jsonb column is sent as: a version, then text."""
    return b"\x01" + _json.encode(value)


def sized(value: bytes) -> bytes:
    """A column's value behind its length."""
    return _SIZE(len(value)) + value


def packed_row(row: Sequence[Any]) -> bytes:
    """A row of `staged_row` as COPY takes it."""
    return struct.pack(">h", len(row)) + packed(row, _ROW_TYPES)


def packed(values: Iterable[Any], types: Iterable[str]) -> bytes:
    """Columns as COPY takes them, one after the other."""
    return b"".join(
        [NULL if value is None else _PACK[kind](value) for value, kind in zip(values, types, strict=True)]
    )


_SIZE: Final = struct.Struct(">i").pack
_INT8, _INT4 = struct.Struct(">iq").pack, struct.Struct(">ii").pack
_FLOAT8, _BOOL = struct.Struct(">id").pack, struct.Struct(">i?").pack
NULL: Final = _SIZE(-1)
"""What stands in place of a column that is null."""
_PACK: Final[dict[str, Callable[[Any], bytes]]] = {
    "text": lambda text: sized(text.encode()),
    "bytea": sized,
    "int8": lambda number: _INT8(8, number),
    "int4": lambda number: _INT4(4, number),
    "float8": lambda number: _FLOAT8(8, number),
    "bool": lambda truth: _BOOL(1, truth),
}
COPY_BEGIN: Final = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
"""Signature, flags and the length of nothing more."""
COPY_END: Final = struct.pack(">h", -1)


def _uuid_array(ids: Iterable[bytes]) -> bytes:
    """A one-dimensional uuid[]: dimensions, has-nulls flag, element type, length, lower bound, elements."""
    elements = [_UUID_SIZE + one for one in ids]
    return _array_of(len(elements)) + b"".join(elements)


def _array_of(length: int) -> bytes:
    return struct.pack(">iiIii", 1, 0, _UUID_OID, length, 1)


ONE_UUID: Final = _array_of(1) + _UUID_SIZE
"""What stands before the only element."""
_LAST_COLUMNS: Final = len(sized(ONE_UUID + bytes(16)) + _BOOL(1, False))
"""Bytes of `applied_event_ids` and `folded` where a key is there once."""
