"""A record of the dead-letter topic as a row of `dead_letters`: pure, and it never fails.

Its value is not looked into. What its headers say of it is taken as far as it can be read: whoever can
write to the topic can write anything, and a dead letter that can't be kept would be the end of the line.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Final, NamedTuple
from uuid import UUID

from consumers.batch import Headers

_TEXT_LENGTH: Final = 1024
_SOURCE: Final = "/sources/"
_MOST_DIGITS: Final = 18
"""Of a number in a header: what has more is no offset of Kafka's."""
_INT_MAX: Final = 2**31 - 1
_UNKNOWN: Final = "unknown"


class Letter(NamedTuple):
    """The columns that a dead letter's record decides about."""

    stage: str
    reason: str
    detail: str
    source: str | None
    tenant: str | None
    origin_topic: str
    origin_topic_id: UUID
    origin_partition: int
    origin_offset: int
    value_sha256: bytes
    key: bytes | None
    value: bytes | None
    header_names: list[str]
    header_values: list[bytes | None]
    redrives: int
    failed_at: datetime
    kafka_topic_id: UUID
    kafka_partition: int
    kafka_offset: int


TYPES: Final = (
    *("text", "text", "text", "text", "text", "text", "uuid", "int4", "int8"),
    *("bytea", "bytea", "bytea", "text[]", "bytea[]", "int4", "timestamptz", "uuid", "int4", "int8"),
)
"""Of the columns, in their order."""


class Origin(NamedTuple):
    """Where a record stands in Kafka."""

    topic: str
    topic_id: UUID
    partition: int
    offset: int


class Told(NamedTuple):
    """A record as the client library hands it out."""

    key: bytes | None
    value: bytes | None
    headers: Headers
    timestamp_ms: int
    """When it was written, since 1970."""


def letter_of(record: Told, at: Origin) -> Letter:
    """The row of a dead letter that stands at `at`; its origin is that place where it names no other."""
    headers = {name: value for name, value in record.headers if value is not None}
    origin = _origin(headers) or at
    return Letter(
        stage=_text(headers.get("dlq-stage")) or _UNKNOWN,
        reason=_text(headers.get("dlq-reason")) or _UNKNOWN,
        detail=_text(headers.get("dlq-detail")) or "",
        source=_text(headers.get("dlq-source")) or _source(headers.get("ce_source")),
        tenant=_text(headers.get("dlq-tenant")),
        origin_topic=origin.topic,
        origin_topic_id=origin.topic_id,
        origin_partition=origin.partition,
        origin_offset=origin.offset,
        value_sha256=sha256(record.value or b"").digest(),
        key=record.key,
        value=record.value,
        header_names=[_storable(name) for name, _ in record.headers],
        header_values=[value for _, value in record.headers],
        redrives=min(_number(headers.get("dlq-redrives")) or 0, _INT_MAX),
        failed_at=_time(headers.get("dlq-failed-at")) or _since_1970(record.timestamp_ms),
        kafka_topic_id=at.topic_id,
        kafka_partition=at.partition,
        kafka_offset=at.offset,
    )


def _origin(headers: Mapping[str, bytes]) -> Origin | None:
    topic = _text(headers.get("dlq-origin-topic"))
    partition = _number(headers.get("dlq-origin-partition"))
    offset = _number(headers.get("dlq-origin-offset"))
    try:
        topic_id = UUID((headers.get("dlq-origin-topic-id") or b"").decode())
    except ValueError:
        return None
    if not topic or partition is None or partition > _INT_MAX or offset is None:
        return None
    return Origin(topic, topic_id, partition, offset)


def _number(told: bytes | None) -> int | None:
    return int(told) if told is not None and told.isdigit() and len(told) <= _MOST_DIGITS else None


def _text(told: bytes | None) -> str | None:
    return None if told is None else _storable(told.decode(errors="replace"))[:_TEXT_LENGTH]


def _storable(text: str) -> str:
    """Without what Postgres' text can't hold."""
    return text.replace("\x00", "�").encode(errors="replace").decode()


def _source(ce_source: bytes | None) -> str | None:
    told = _text(ce_source)
    return told.removeprefix(_SOURCE) if told is not None and told.startswith(_SOURCE) else None


def _time(told: bytes | None) -> datetime | None:
    try:
        time = datetime.fromisoformat((told or b"").decode())
        return time.astimezone(UTC) if time.tzinfo is not None else None
    except (ValueError, OverflowError):
        return None


def _since_1970(timestamp_ms: int) -> datetime:
    try:
        return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=max(0, timestamp_ms))
    except OverflowError:
        return datetime.fromtimestamp(0, UTC)
