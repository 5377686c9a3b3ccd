"""Parking: what can never be stored goes to the dead-letter topic, acknowledged, before the offset moves."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final
from uuid import UUID

import structlog
from confluent_kafka import KafkaError, KafkaException, Message, Producer

from config.clock import Clock
from config.errors import StoppedForSafety
from consumers.batch import Headers, Unstorable
from consumers.fates import KafkaUnavailable, kafka_errors
from schemas.event import MICROSECONDS

log = structlog.get_logger()

Delivered = Callable[[KafkaError | None, Message], None]

MAX_MESSAGE_BYTES: Final = 5 * 1024 * 1024 - 16 * 1024
"""Just below the dead-letter topic's 5 MiB, which is more than the largest event and its headers."""
STAGE: Final = "sink"
_DETAIL_BYTES: Final = 1024
REDRIVES: Final = "dlq-redrives"


class DeadLetters:
    """Publishes dead letters and waits for Kafka to acknowledge them; used by the writing thread alone.

    Args:
        options: librdkafka's, for a producer. There is one from the first dead letter on, and another
            whenever one was not safe: the former may be silent for ever (librdkafka's issues 5301 and 5430).
        topic: Where dead letters go.
        origin_topic: Where the records come from.
        clock: For when it failed.
    """

    def __init__(self, options: Mapping[str, object], *, topic: str, origin_topic: str, clock: Clock) -> None:
        self._options, self._topic, self._origin_topic, self._clock = options, topic, origin_topic, clock
        self._producer: Producer | None = None

    def park(
        self, records: Sequence[Unstorable], topic_ids: Mapping[int, UUID], timeout_s: float = 10.0
    ) -> None:
        """Publish these records; a repetition is harmless, since a dead letter is known by its origin.

        Raises:
            KafkaUnavailable: Not all were acknowledged in time; the offset must not move.
        """
        producer = self._producer = self._producer or Producer(dict(self._options))
        try:
            self._publish(producer, records, topic_ids, timeout_s)
        except KafkaUnavailable:
            producer.purge()
            self._producer = None
            raise
        for record in records:
            log.warning(
                "record_parked",
                reason=record.poison.reason,
                detail=record.poison.detail,
                partition=record.partition,
                offset=record.offset,
            )

    def _publish(
        self,
        producer: Producer,
        records: Sequence[Unstorable],
        topic_ids: Mapping[int, UUID],
        timeout_s: float,
    ) -> None:
        refused: list[KafkaError] = []

        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                refused.append(error)

        with kafka_errors():
            for record in records:
                self._send(producer, record, topic_ids[record.partition], delivered)
            waiting = producer.flush(timeout_s)
            if refused:
                raise KafkaException(refused[0])
        if waiting:
            raise KafkaUnavailable("dead letters are not safe yet: no acknowledgement in time")

    def _send(self, producer: Producer, record: Unstorable, topic_id: UUID, delivered: Delivered) -> None:
        headers = [*foreign(record.headers), *self._about(record, topic_id)]
        try:
            producer.produce(
                self._topic,
                key=record.key,
                value=record.value,
                headers=headers,  # type: ignore[arg-type]  # a list is invariant, and bytes are taken
                on_delivery=delivered,
            )
        except BufferError as error:
            raise KafkaUnavailable("dead letters wait for Kafka; no more fits in between") from error
        except KafkaException as error:
            if error.args[0].code() == KafkaError.MSG_SIZE_TOO_LARGE:
                raise StoppedForSafety(
                    f"partition {record.partition} offset {record.offset} is too large for a dead letter"
                ) from error
            raise

    def _about(self, record: Unstorable, topic_id: UUID) -> Headers:
        detail = record.poison.detail.encode()[:_DETAIL_BYTES].decode(errors="ignore")
        now = datetime.fromtimestamp(self._clock.now_us() / MICROSECONDS, UTC)
        told = {
            "dlq-reason": record.poison.reason,
            "dlq-detail": detail,
            "dlq-stage": STAGE,
            "dlq-origin-topic": self._origin_topic,
            "dlq-origin-topic-id": str(topic_id),
            "dlq-origin-partition": str(record.partition),
            "dlq-origin-offset": str(record.offset),
            "dlq-failed-at": now.isoformat(),
            REDRIVES: _redrives(record.headers),
        }
        return [(name, value.encode()) for name, value in told.items()]


def foreign(headers: Headers) -> Headers:
    """The record's own headers: what an earlier parking said of it is replaced, not added to."""
    return [(name, value) for name, value in headers if not name.startswith("dlq-")]


def _redrives(headers: Headers) -> str:
    """How often the record was sent again already; a broken count begins anew."""
    told = [value for name, value in headers if name == REDRIVES and value is not None and value.isdigit()]
    return told[-1].decode() if told else "0"
