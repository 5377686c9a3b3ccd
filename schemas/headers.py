"""A record's headers: CloudEvents 1.0 in binary mode for Kafka, and W3C Trace Context."""

import os
import random
import re
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple

from schemas.event import MICROSECONDS, EventType, SessionEvent

CONTENT_TYPE: Final = ("content-type", b"application/avro")
_SPECVERSION: Final = ("ce_specversion", b"1.0")
_TYPES: Final = {kind: ("ce_type", f"sessionrelay.{kind.lower()}".encode()) for kind in EventType}

_chance: Final = random.Random(os.urandom(32))  # noqa: S311 - ids of traces are no secrets
"""Seeded once: asking the system for each request lets go of the interpreter, twice."""
_TRACEPARENT: Final = re.compile(
    r"(?!ff)[0-9a-f]{2}-(?!0{32})(?P<trace>[0-9a-f]{32})-(?!0{16})(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})"
)


class Trace(NamedTuple):
    """A trace, the span of it that led here, both in hexadecimal digits, and whether anybody keeps it."""

    trace_id: str
    span_id: str
    is_sampled: bool


def cloudevents_headers(event: SessionEvent, traceparent: str) -> list[tuple[str, bytes]]:
    """The headers of one record, all values UTF-8 (CloudEvents Kafka protocol binding, section 3.2).

    `ce_time` is when it occurred, in RFC 3339.
    """
    return [
        _SPECVERSION,
        ("ce_id", event.event_id.encode()),
        _source(event.source),
        _TYPES[event.type],
        ("ce_time", rfc3339(event.occurred_at).encode()),
        CONTENT_TYPE,
        ("traceparent", traceparent.encode()),
    ]


@lru_cache(maxsize=256)
def _source(name: str) -> tuple[str, bytes]:
    return ("ce_source", f"/sources/{name}".encode())


def rfc3339(time_us: int) -> str:
    """Microseconds since 1970-01-01 UTC as RFC 3339, with no more decimals than are needed."""
    if time_us == 0:
        return "1970-01-01T00:00:00Z"
    seconds, rest = divmod(time_us, MICROSECONDS)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S").rjust(19, "0")
    return f"{text}.{rest:06d}Z" if rest else f"{text}Z"


def continue_trace(incoming: str | None) -> str:
    """The `traceparent` to send on: the caller's trace under a new span, or a new trace.

    W3C Trace Context, section 3.2: version ff and ids of zeros are invalid, and whatever is invalid
    starts a new trace and is never a reason to refuse. Of a future version, only what version 00
    defines is read, and more may follow after a dash.
    """
    drawn = _chance.randbytes(24).hex()  # zeros alone are invalid, and as likely as two ids that are alike
    trace, span = drawn[:32], drawn[32:]
    if incoming is not None and (found := _read(incoming)):
        return f"00-{found['trace']}-{span}-{int(found['flags'], 16) & 1:02x}"
    return f"00-{trace}-{span}-01"


def trace_id_of(traceparent: str | None) -> str | None:
    """The trace that a `traceparent` names, for a log line; None where it is invalid."""
    trace = trace_of(traceparent)
    return None if trace is None else trace.trace_id


def trace_of(traceparent: str | None) -> Trace | None:
    """All that a `traceparent` says; None where there is none, or it is invalid."""
    found = None if traceparent is None else _read(traceparent)
    return found and Trace(found["trace"], found["span"], is_sampled=bool(int(found["flags"], 16) & 1))


def _read(traceparent: str) -> re.Match[str] | None:
    head, rest = traceparent[:55], traceparent[55:]
    found = _TRACEPARENT.fullmatch(head)
    return found if found and (not rest or (rest[0] == "-" and not head.startswith("00"))) else None
