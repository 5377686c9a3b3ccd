"""Events to bytes and back, strictly: Confluent wire format around one Avro record.

The frame is a zero byte, the schema's id as an unsigned 32-bit big-endian number, and the Avro body
(Confluent, "Wire format"). Nothing is coerced on the way in, nothing is left over on the way out.
"""

import re
import struct
from collections.abc import Callable
from itertools import chain
from typing import Any, Final, NamedTuple

import msgspec

from config.errors import Poison, StoppedForSafety
from schemas.checks import check_of
from schemas.event import RANK, STAGE_BYTES, EventType, SessionEvent, Statistics
from schemas.reader import Read
from schemas.versions import BY_SCHEMA_ID, LATEST, PINNED_IDS
from schemas.writer import writer_of

_MAGIC: Final = 0
_FRAME: Final = struct.Struct(">BI")
FRAME_SIZE: Final = _FRAME.size
PREFIX: Final = _FRAME.pack(_MAGIC, LATEST.schema_id)
"""The frame of a record of the newest schema, under its pinned id."""
_write: Final = writer_of(LATEST.schema)
_fits: Final = check_of(SessionEvent)
_SESSIONLESS: Final = frozenset(EventType) - frozenset(RANK)

REASONS: Final = ("not_framed", "unknown_schema", "undecodable", "invalid")
"""Why a record can be poison here; the values of a dead letter's `dlq-reason`."""


class Problem(NamedTuple):
    """One thing that is wrong with an event, told without its value."""

    path: str
    problem: str


class InvalidEvent(ValueError):
    """An event that must not be written; `problems` says all that is wrong with it."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(f"{path}: {problem}" for path, problem in problems))
        self.problems = problems


def frame_of(schema_id: int) -> bytes:
    """What stands before a record whose schema has this id."""
    return _FRAME.pack(_MAGIC, schema_id)


def encode(event: SessionEvent, frame: bytes = PREFIX) -> bytes:
    """Encode an event with the newest schema, behind this frame.

    Raises:
        InvalidEvent: A field's type or range is wrong; nothing is coerced.
    """
    if _fits(event) and not _beyond_types(event):
        return frame + _write(event)
    return frame + _write(_checked(_plain(event)))  # which says what is wrong with it


def decode(value: bytes | None, foreign: Callable[[int], Read] | None = None) -> SessionEvent:
    """Decode one record's value, whatever released version it was written with.

    Args:
        value: The frame and the body.
        foreign: Finds the reader of an id that is not ours, and may raise errors of its own.

    Raises:
        Poison: It is not framed, its schema is not ours, its bytes are not that schema's, or a field
            is outside what the table can hold.
        StoppedForSafety: Its schema id is one of ours that this version does not know yet: a newer
            relay writes, so the sinks have to be upgraded first.
    """
    if value is None or len(value) < _FRAME.size or value[0] != _MAGIC:
        raise Poison("not_framed", "no Confluent frame: a zero byte and a schema id")
    (_, schema_id) = _FRAME.unpack_from(value)
    version = BY_SCHEMA_ID.get(schema_id)
    read = version.read if version is not None else _foreign_read(schema_id, foreign)
    try:
        fields, end = read(value, _FRAME.size)
    except (ValueError, IndexError, struct.error) as error:
        raise Poison("undecodable", f"not a record of schema {schema_id}: {type(error).__name__}") from None
    if end != len(value):
        raise Poison("undecodable", f"{len(value) - end} bytes left over after the record")
    try:
        return _checked(fields)
    except InvalidEvent as error:
        raise Poison("invalid", str(error)) from None


def _foreign_read(schema_id: int, foreign: Callable[[int], Read] | None) -> Read:
    if schema_id in PINNED_IDS:
        raise StoppedForSafety(
            f"schema id {schema_id} is newer than this version: upgrade the sinks before the relays"
        )
    if foreign is None:
        raise Poison("unknown_schema", f"schema id {schema_id} is not known here")
    return foreign(schema_id)


def problems_of(event: SessionEvent) -> list[Problem]:
    """Say what `encode` would refuse; empty when nothing is."""
    try:
        _checked(_plain(event))
    except InvalidEvent as error:
        return error.problems
    return []


def _plain(event: SessionEvent) -> dict[str, Any]:
    """The event's fields, the statistics' too: msgspec would take an instance of them without a look."""
    fields = msgspec.structs.asdict(event)
    if isinstance(event.statistics, Statistics):
        fields["statistics"] = msgspec.structs.asdict(event.statistics)
    return fields


def _checked(fields: dict[str, Any]) -> SessionEvent:
    """Build the event from plain fields, or raise InvalidEvent; types and ranges are `SessionEvent`'s own."""
    try:
        event = msgspec.convert(fields, SessionEvent, builtin_types=_NATIVE)
    except msgspec.ValidationError as error:
        problem, _, path = str(error).partition(" - at `$")
        raise InvalidEvent([Problem(path.strip("`.") or "event", problem)]) from None
    if problems := _beyond_types(event):
        raise InvalidEvent(problems)
    return event


def _beyond_types(event: SessionEvent) -> list[Problem]:
    problems = []
    if event.session_id is None and event.type not in _SESSIONLESS:
        problems.append(Problem("session_id", f"required for {event.type}"))
    if event.sleep_stages and event.sleep_stages.translate(None, STAGE_BYTES):
        problems.append(Problem("sleep_stages", "a stage is none of 0, 1, 2, 3, 255"))
    if not _CANONICAL_UUID(event.event_id):
        problems.append(Problem("event_id", "not a UUID in lower case"))
    texts = f"{event.source}{event.tenant}{event.user_id}{event.session_id}{event.timezone}"
    if event.attributes:
        texts += "".join(chain(event.attributes, event.attributes.values()))
    if not _storable(texts):
        # one look for all: this runs for every record
        problems += [
            Problem(name, _UNSTORABLE) for name in _TEXT if not _storable(getattr(event, name) or "")
        ]
        if not _storable("".join(chain(event.attributes, event.attributes.values()))):
            problems.append(Problem("attributes", _UNSTORABLE))
    return problems


_NATIVE: Final = (bytes,)  # else msgspec reads a string as base64
_UNSTORABLE: Final = "contains U+0000 or a lone surrogate, which can't be stored"
_TEXT: Final = ("source", "tenant", "user_id", "session_id", "timezone")
_CANONICAL_UUID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}").fullmatch


def _storable(text: str) -> bool:
    """Whether Postgres and UTF-8 can hold it: no U+0000, no lone surrogate."""
    if text.isascii():
        return "\x00" not in text
    try:
        return b"\x00" not in text.encode()
    except UnicodeEncodeError:
        return False
