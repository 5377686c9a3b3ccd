"""One event as one staged row, every column in the form that binary COPY puts on the wire.

Binary COPY carries no types: an 8-byte integer is a timestamptz if the column is one. So times, UUIDs,
jsonb and arrays are given as integers and bytes, which psycopg's C dumpers write fastest.
Source: PostgreSQL manual, COPY, "Binary Format", and the send functions of the types.
"""

import struct
from collections.abc import Iterable
from typing import Any, Final
from uuid import UUID

import msgspec

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
"""The stage's columns in the order of a row, each with the type that psycopg is told to dump."""

_Y2000_US: Final = 946_684_800 * MICROSECONDS
_JSONB_VERSION: Final = b"\x01"
_NO_ATTRIBUTES: Final = _JSONB_VERSION + b"{}"
_OWN_COLUMN: Final = frozenset(COLUMNS)
_OTHER_STATISTICS: Final = tuple(f for f in Statistics.__struct_fields__ if f not in _OWN_COLUMN)
_NO_STATISTICS: Final = (None,) * 10
_TYPE_NAMES: Final = {kind: kind.value for kind in EventType}  # `.value` is a call, felt per record
_UUID_OID: Final = 2950
_UUID_SIZE: Final = struct.pack(">i", 16)

_json = msgspec.json.Encoder(order="deterministic")


def staged_row(
    event: SessionEvent, place: tuple[UUID, int, int], written: tuple[str, ...] | None = None
) -> tuple[Any, ...]:
    """Build the row of an event that was read at `place` (topic id, partition, offset).

    Args:
        event: The event; a deletion keeps its key and loses its content here.
        place: Where in the log it stands.
        written: For a key that the batch holds several times: the ids of all its events that were
            written. None for a key that is there once.
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
        event.occurred_at - _Y2000_US,
        event.received_at - _Y2000_US,
        event.normaliser,
        None if deleted or start is None else start - _Y2000_US,
        None if deleted or end is None else end - _Y2000_US,
        None if deleted else event.timezone,
        None if deleted else event.sleep_stages,
        event.epoch_seconds,
        *(_NO_STATISTICS if deleted or event.statistics is None else _statistics(event.statistics)),
        _NO_ATTRIBUTES
        if deleted or not event.attributes
        else _JSONB_VERSION + _json.encode(event.attributes),
        topic_id.bytes,
        partition,
        offset,
        _ONE_UUID + event_id if written is None else _uuid_array([UUID(one).bytes for one in written]),
        written is not None,
    )


def _statistics(told: Statistics) -> tuple[Any, ...]:
    others = {name: value for name in _OTHER_STATISTICS if (value := getattr(told, name)) is not None}
    return (
        told.time_in_bed,
        told.time_in_sleep,
        told.time_in_wake,
        told.time_in_light,
        told.time_in_deep,
        told.time_in_rem,
        told.sleep_latency,
        told.sleep_efficiency,
        told.waso_count,
        _JSONB_VERSION + _json.encode(others),
    )


def _uuid_array(ids: Iterable[bytes]) -> bytes:
    """A one-dimensional uuid[]: dimensions, has-nulls flag, element type, length, lower bound, elements."""
    elements = [_UUID_SIZE + one for one in ids]
    return _array_of(len(elements)) + b"".join(elements)


def _array_of(length: int) -> bytes:
    return struct.pack(">iiIii", 1, 0, _UUID_OID, length, 1)


_ONE_UUID: Final = _array_of(1) + _UUID_SIZE
"""What stands before the only element."""
