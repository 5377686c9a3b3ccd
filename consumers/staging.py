"""A record's bytes straight into the bytes that COPY takes: the short way, which nearly every record goes.

The long way decodes a record, checks it and makes a row of Python values of it, which takes twice the
time, and the sink's speed is that of one Python thread. What is generated here from the schema does the
same at once for records that are plain: of the newest schema, no deletion, their ids and the time zone
in ASCII and short. It never refuses a record: whatever is not plain, or wrong in any way, it leaves to
the long way, which knows the reason. A property test holds the two together, byte for byte.

Source: PostgreSQL manual, COPY, "Binary Format".
"""

import re
import struct
from binascii import unhexlify
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final
from uuid import UUID

import msgspec

from consumers import rows
from consumers.batch import Key
from consumers.fold import FUTURE_US
from schemas.codec import FRAME_SIZE, PREFIX
from schemas.event import MAX_TIME_US, MAX_UTC_OFFSET_S, MIN_TIME_US, RANK, STAGE_BYTES, EventType, Statistics
from schemas.reader import Source

Staged = tuple[bytes, Key, int, bool]
"""A row as COPY takes it, whose it is, received_at, and whether the event claims to be from the future."""
Short = Callable[[bytes | None, bytes, int], Staged | None]
"""Stages a record's value, with its place (`place_of`) and offset; None if it has to go the long way."""

_CHECKS: Final = f"""
if i != len(b) or kind is None or not canonical(event_id): return None
if 0 in head or not head.isascii(): return None
if not {MIN_TIME_US} <= occurred_at <= {MAX_TIME_US}: return None
if not {MIN_TIME_US} <= received_at <= {MAX_TIME_US}: return None
if not 0 <= normaliser < {2**31} or not 1 <= epoch_seconds <= 86400: return None
if sleep_stages and sleep_stages.translate(None, stage_bytes): return None
event_id = unhexlify(event_id.replace(b'-', b''))
row = join((
    columns, small[len(tenant)], tenant, small[len(source)], source, small[len(session_id)], session_id,
    small[len(user_id)], user_id, uuid_size, event_id, kind,
    numbers(8, sequence, 8, occurred_at - {rows.Y2000_US}, 8, received_at - {rows.Y2000_US}, 4, normaliser),
    null if session_start_time is None else time(session_start_time),
    null if session_end_time is None else time(session_end_time),
    null if timezone is None else zone(timezone),
    null if utc_offset_seconds is None else utc_offset(utc_offset_seconds),
    null if sleep_stages is None else sized(sleep_stages),
    number(4, epoch_seconds),
    no_figures if statistics is None else figures(statistics),
    no_attributes if not attributes else texts(attributes),
    place, tail(8, offset, {len(rows.ONE_UUID) + 16}, one_uuid, event_id, 1, False),
))
return row, (tenant, source, session_id), received_at, occurred_at > received_at + {FUTURE_US}
"""
"""What is written by hand: variables are the event's fields, texts as bytes; `head` is all before sequence.

One look at `head` does for all lengths and characters in it: a length beyond 63 has a byte beyond ASCII, an
empty text or no session has a zero.
"""


def place_of(topic_id: UUID, partition: int) -> bytes:
    """The columns that say which partition a record was read from."""
    return rows.sized(topic_id.bytes) + struct.pack(">ii", 4, partition)


def short_way(schema: Any, prefixes: Collection[bytes] = (PREFIX,)) -> Short:
    """The function that stages plain records of a schema.

    Args:
        schema: As JSON, without logical types and docs.
        prefixes: Frames of its records; more may be added to it later.

    Raises:
        ValueError: The schema does not begin as this was written for.
    """
    names = [field["name"] for field in schema["fields"]]
    if names[: len(_HEAD)] != list(_HEAD):
        raise ValueError(f"the schema begins with {names[: len(_HEAD)]}")
    source = Source(text="b[i:j]")
    source.constants |= _NAMES | {"prefixes": prefixes}
    source.line("if b is None or b[:5] not in prefixes: return None")
    source.line("i = 5")
    fields = source.fields({"fields": schema["fields"][: len(_HEAD)]})
    source.line(f"head = b[{FRAME_SIZE + 37}:i]")  # after the event's id and its length
    fields |= source.fields({"fields": schema["fields"][len(_HEAD) :]})
    for name in _FIELDS:
        source.line(f"{name} = {fields[name]}")
    source.line("kind = kinds.get(type)")
    for line in _CHECKS.strip().splitlines():
        source.line(line)
    stage = source.function("stage(b, place, offset)", "short way")

    def attempt(value: bytes | None, place: bytes, offset: int) -> Staged | None:
        try:
            staged: Staged | None = stage(value, place, offset)
        except (ValueError, IndexError, struct.error, msgspec.ValidationError):
            return None
        return staged

    return attempt


def _time(time_us: int) -> bytes:
    if not MIN_TIME_US <= time_us <= MAX_TIME_US:
        raise ValueError("a time that the table can't hold")
    return _LONG(8, time_us - rows.Y2000_US)


def _zone(name: bytes) -> bytes:
    if not name or len(name) > 255 or b"\x00" in name or not name.isascii():  # noqa: PLR2004 - Identifier's
        raise ValueError("not a plain text")
    return rows.sized(name)


def _utc_offset(seconds: int) -> bytes:
    if not -MAX_UTC_OFFSET_S <= seconds <= MAX_UTC_OFFSET_S:
        raise ValueError("no clock is so far from UTC")
    return _INT(4, seconds)


def _figures(told: Mapping[str, Any]) -> bytes:
    msgspec.convert(told, Statistics)  # for its limits
    values = rows.figures(told)
    if None in values:
        return rows.packed(values, rows.FIGURE_TYPES)
    *numbers, others = values
    return _ALL_FIGURES(*[part for number in numbers for part in (8, number)]) + rows.sized(others)


def _texts(told: Mapping[bytes, bytes]) -> bytes:
    if 0 in b"".join((*told, *told.values())):
        raise ValueError("not storable")
    return rows.sized(rows.jsonb({name.decode(): text.decode() for name, text in told.items()}))


_HEAD: Final = ("event_id", "source", "tenant", "type", "user_id", "session_id")
_FIELDS: Final = (
    *_HEAD,
    *("sequence", "occurred_at", "received_at", "normaliser", "session_start_time", "session_end_time"),
    *("timezone", "utc_offset_seconds", "sleep_stages", "epoch_seconds", "statistics", "attributes"),
)
_ALL_FIGURES: Final = struct.Struct(">" + "id" * 8 + "iq").pack
_LONG: Final = struct.Struct(">iq").pack
_INT: Final = struct.Struct(">ii").pack
_NAMES: Final[dict[str, Any]] = {
    "canonical": re.compile(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch,
    "unhexlify": unhexlify,
    "stage_bytes": STAGE_BYTES,
    "kinds": {k.value: rows.sized(k.value.encode()) for k in RANK if k != EventType.SESSION_DELETED},
    "join": b"".join,
    "columns": struct.pack(">h", len(rows.COLUMNS)),
    "small": [struct.pack(">i", size) for size in range(64)],
    "uuid_size": struct.pack(">i", 16),
    "numbers": struct.Struct(">iqiqiqii").pack,
    "number": _INT,
    "tail": struct.Struct(f">iqi{len(rows.ONE_UUID)}s16si?").pack,
    "one_uuid": rows.ONE_UUID,
    "null": rows.NULL,
    "sized": rows.sized,
    "time": _time,
    "zone": _zone,
    "utc_offset": _utc_offset,
    "figures": _figures,
    "no_figures": rows.NULL * len(rows.FIGURE_TYPES),
    "texts": _texts,
    "no_attributes": rows.sized(rows.jsonb({})),
}
