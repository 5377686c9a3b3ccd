"""Dead letters as people read them: a line each, all of one, its bytes in hex and decoded."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

import msgspec

from config.errors import Poison, StoppedForSafety
from schemas.codec import decode

SHOWN_BYTES: Final = 4096
_A_LINE: Final = 16
_ASCII: Final = range(0x20, 0x7F)
"""What can be printed of it."""


def line(letter: Mapping[str, Any]) -> str:
    """One letter of a list."""
    place = f"{letter['origin_topic']}/{letter['origin_partition']}/{letter['origin_offset']}"
    told = f"{letter['id']:>8}  {letter['state']:<9} {letter['reason']:<14} {letter['source'] or '-':<12}"
    when = letter["failed_at"].isoformat(timespec="seconds")
    return printable(f"{told} {when}  {place}  {letter['value_bytes'] or 0} bytes  {letter['detail'][:80]}")


def as_json(letter: Mapping[str, Any]) -> dict[str, Any]:
    """One letter for programs: bytes in hex, times in RFC 3339."""
    return {name: _plain(value) for name, value in letter.items()}


def decoded(value: bytes | None) -> str:
    """What the bytes say: the event, or the JSON that never became one, or why it is neither."""
    try:
        event = msgspec.structs.asdict(decode(value))
    except (Poison, StoppedForSafety) as error:
        return _as_text(value) or f"no event: {error}"
    raw = event.pop("raw")
    event = {name: told for name, told in event.items() if told is not None}
    shown = json.dumps(msgspec.to_builtins(event, builtin_types=(datetime,)), ensure_ascii=True, indent=2)
    return shown if raw is None else f"{shown}\nraw: {_as_text(raw) or f'{len(raw)} bytes'}"


def hex_lines(value: bytes | None, most_bytes: int | None = SHOWN_BYTES) -> Iterator[str]:
    """Bytes as offset, hex and ASCII, 16 a line."""
    whole = value or b""
    shown = whole if most_bytes is None else whole[:most_bytes]
    for begin in range(0, len(shown), _A_LINE):
        row = shown[begin : begin + _A_LINE]
        text = "".join(chr(byte) if byte in _ASCII else "." for byte in row)
        yield f"{begin:08x}  {row.hex(' '):<47}  {text}"
    if len(shown) < len(whole):
        yield f"… {len(whole) - len(shown)} bytes more: --full"


def printable(text: str) -> str:
    """Without what a terminal would obey: anybody can write to the dead-letter topic."""
    return "".join(sign if sign.isprintable() else "�" for sign in text)


def _as_text(value: bytes | None) -> str | None:
    """JSON, indented and in ASCII."""
    try:
        return json.dumps(json.loads(value or b""), ensure_ascii=True, indent=2)
    except (ValueError, RecursionError):
        return None


def _plain(value: Any) -> Any:
    match value:
        case bytes():
            return value.hex()
        case datetime():
            return value.isoformat()
        case UUID():
            return str(value)
        case list():
            return [_plain(one) for one in value]
        case _:
            return value
