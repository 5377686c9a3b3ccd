"""The event: one frozen record in our own terms, the same on both sides of Kafka.

Times are whole microseconds since 1970-01-01 UTC: exact, comparable, and free of naive datetimes,
which Avro libraries take as local time without a word.
"""

from enum import StrEnum
from typing import Annotated, Final

import msgspec
from msgspec import Meta

EPOCH_NONE: Final = 255
"""The stage of an epoch that was not scored."""
STAGES: Final = frozenset({0, 1, 2, 3, EPOCH_NONE})
"""Wake, light, deep, REM, none."""
STAGE_BYTES: Final = bytes(sorted(STAGES))

MICROSECONDS: Final = 1_000_000
MIN_TIME_US: Final = -62_135_596_800 * MICROSECONDS
"""0001-01-01T00:00:00Z, the earliest time that every reader of the table can show."""
MAX_TIME_US: Final = 253_402_300_800 * MICROSECONDS - 1
"""9999-12-31T23:59:59.999999Z, likewise the latest."""

MAX_UTC_OFFSET_S: Final = 18 * 3_600
"""Either way; zones are within -12 h and +14 h, and 18 h is what `java.time.ZoneOffset` takes."""


class EventType(StrEnum):
    """What happened; the order of `RANK` decides which state of a session wins."""

    UNKNOWN = "UNKNOWN"
    SESSION_STARTED = "SESSION_STARTED"
    INFERENCE_COMPLETE = "INFERENCE_COMPLETE"
    SESSION_FAILED = "SESSION_FAILED"
    SESSION_COMPLETE = "SESSION_COMPLETE"
    SESSION_DELETED = "SESSION_DELETED"
    SESSION_CHANGED = "SESSION_CHANGED"
    USER_REVOKED = "USER_REVOKED"


RANK: Final[dict[EventType, int]] = {
    EventType.SESSION_STARTED: 1,
    EventType.INFERENCE_COMPLETE: 2,
    EventType.SESSION_FAILED: 3,
    EventType.SESSION_COMPLETE: 4,
    EventType.SESSION_DELETED: 5,
}
"""Types that carry a session's state, from weakest to strongest; the others never touch a row."""

Name = Annotated[str, Meta(min_length=1, max_length=64)]
"""Of a source or a tenant: the operator's own word, short enough to be part of every key."""
Identifier = Annotated[str, Meta(min_length=1, max_length=255)]
Micros = Annotated[int, Meta(ge=MIN_TIME_US, le=MAX_TIME_US)]
Long = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
UtcOffset = Annotated[int, Meta(ge=-MAX_UTC_OFFSET_S, le=MAX_UTC_OFFSET_S)]
Seconds = Annotated[float, Meta(ge=0, le=1e9)]
Share = Annotated[float, Meta(ge=0, le=1)]
Index = Annotated[float, Meta(ge=-1e9, le=1e9)]


class Statistics(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A night's figures: durations in seconds, shares 0 to 1, counts; None where the vendor tells none."""

    time_in_bed: Seconds | None = None
    time_in_sleep_period: Seconds | None = None
    time_in_sleep: Seconds | None = None
    time_in_wake: Seconds | None = None
    time_in_light: Seconds | None = None
    time_in_deep: Seconds | None = None
    time_in_rem: Seconds | None = None
    sleep_latency: Seconds | None = None
    wakeup_latency: Seconds | None = None
    longest_waso: Seconds | None = None
    waso_count: Count | None = None
    sleep_cycle_count: Count | None = None
    sleep_efficiency: Share | None = None
    sleep_ratio: Share | None = None
    wake_ratio: Share | None = None
    light_ratio: Share | None = None
    deep_ratio: Share | None = None
    rem_ratio: Share | None = None
    missing_data_ratio: Share | None = None
    sleep_index: Index | None = None
    breathing_index: Index | None = None


class SessionEvent(msgspec.Struct, frozen=True, kw_only=True):
    """One event; field by field what the newest `schemas/session_event/N.avsc` says."""

    event_id: Annotated[str, Meta(min_length=36, max_length=36)]
    source: Name
    tenant: Name
    type: EventType
    user_id: Identifier
    session_id: Identifier | None = None
    sequence: Long = 0
    occurred_at: Micros = 0
    received_at: Micros
    normaliser: Annotated[int, Meta(ge=0, le=2**31 - 1)]
    session_start_time: Micros | None = None
    session_end_time: Micros | None = None
    timezone: Identifier | None = None
    utc_offset_seconds: UtcOffset | None = None
    sleep_stages: bytes | None = None
    epoch_seconds: Annotated[int, Meta(ge=1, le=86_400)] = 30
    statistics: Statistics | None = None
    attributes: dict[str, str] = {}
    raw: bytes | None = None
