"""One valid record by hand, in pieces that a test can spoil; shares no code with the codec."""

import struct
from typing import Final

from schemas.event import EventType, SessionEvent, Statistics

SCHEMA_ID: Final = 1_900_000_002
FRAME: Final = struct.pack(">BI", 0, SCHEMA_ID)

EVENT: Final = SessionEvent(
    event_id="16a0d346-f722-5514-9424-419fa75511aa",
    source="asleep",
    tenant="tenant",
    type=EventType.SESSION_COMPLETE,
    user_id="u-1",
    session_id="s-1",
    sequence=-3,
    occurred_at=1_780_000_000_000_000,
    received_at=1_780_000_001_000_001,
    normaliser=1,
    session_start_time=-1,
    session_end_time=0,
    timezone="Asia/Seoul",
    utc_offset_seconds=32_400,
    sleep_stages=b"\x00\x01\x02\x03\xff",
    epoch_seconds=30,
    statistics=Statistics(time_in_bed=1.5, waso_count=2),
    attributes={"naïve": "🌙"},
    raw=b"{}",
)


def long(number: int) -> bytes:
    """Zigzag and variable length, seven bits a byte, the lowest first (Avro specification, "long")."""
    zigzag = (number << 1) ^ (number >> 63)
    spelt = bytearray()
    while zigzag > 0x7F:
        spelt.append(zigzag & 0x7F | 0x80)
        zigzag >>= 7
    return bytes([*spelt, zigzag])


def sized(content: str | bytes) -> bytes:
    """A string or bytes behind their length."""
    as_bytes = content.encode() if isinstance(content, str) else content
    return long(len(as_bytes)) + as_bytes


NULL: Final = long(0)
SOME: Final = long(1)
"""The index of a union's second branch."""

PIECES: Final = {
    "event_id": sized(EVENT.event_id),
    "source": sized("asleep"),
    "tenant": sized("tenant"),
    "type": long(4),
    "user_id": sized("u-1"),
    "session_id": SOME + sized("s-1"),
    "sequence": long(-3),
    "occurred_at": long(1_780_000_000_000_000),
    "received_at": long(1_780_000_001_000_001),
    "normaliser": long(1),
    "session_start_time": SOME + long(-1),
    "session_end_time": SOME + long(0),
    "timezone": SOME + sized("Asia/Seoul"),
    "utc_offset_seconds": SOME + long(32_400),
    "sleep_stages": SOME + sized(b"\x00\x01\x02\x03\xff"),
    "epoch_seconds": long(30),
    "statistics": SOME + SOME + struct.pack("<d", 1.5) + NULL * 9 + SOME + long(2) + NULL * 10,
    "attributes": long(1) + sized("naïve") + sized("🌙") + long(0),
    "raw": SOME + sized(b"{}"),
}


ADDED: Final = {2: ("utc_offset_seconds",)}
"""The pieces that each version brought."""


def record_of(version: int) -> bytes:
    """The same event, as far as a version could tell it, written with that version."""
    later = {name for number, names in ADDED.items() if number > version for name in names}
    pieces = [piece for name, piece in PIECES.items() if name not in later]
    return struct.pack(">BI", 0, 1_900_000_000 + version) + b"".join(pieces)


def record(frame: bytes = FRAME, **spoiled: bytes) -> bytes:
    """The record, with these pieces in place of the valid ones."""
    unknown = spoiled.keys() - PIECES.keys()
    assert not unknown, unknown
    return frame + b"".join((PIECES | spoiled).values())
