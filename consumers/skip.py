"""The way past a record that brings the sink down: it is stored, and sinks step over it from then on."""

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final
from uuid import UUID

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient

from config.errors import RelayError, SettingsError, Unavailable
from config.kafka import client_options
from config.kafka_options import SILENT
from config.sections import KafkaSettings
from consumers.fates import kafka_errors
from consumers.letters import Origin, letter_of
from consumers.project import told
from consumers.topics import as_uuid

STAGE: Final = "operator"
REASON: Final = "skipped"
_TIMEOUT_S: Final = 10.0


def record_at(kafka: KafkaSettings, topic: str, partition: int, offset: int) -> Mapping[str, Any]:
    """Read one record and build its row of `dead_letters`, whatever it is; nothing is decoded.

    Raises:
        SettingsError: There is no such partition.
        RelayError: There is no such record (any more).
        Unavailable: Kafka did not answer in time.
    """
    with kafka_errors():
        topic_id = _topic_id(kafka, topic, partition)
        message = _message(kafka, topic, partition, offset)
    letter = letter_of(told(message), Origin(topic, topic_id, partition, offset))
    columns = letter._asdict() | {
        "stage": STAGE,
        "reason": REASON,
        "detail": "an operator told the sinks to step over it",
        "origin_topic": topic,
        "origin_topic_id": topic_id,
        "origin_partition": partition,
        "origin_offset": offset,
        "failed_at": datetime.now(UTC),
    }
    return {name: value for name, value in columns.items() if not name.startswith("kafka_")}


def _topic_id(kafka: KafkaSettings, topic: str, partition: int) -> UUID:
    admin = AdminClient(client_options(kafka, logger=SILENT))
    described = admin.describe_topics(TopicCollection([topic]), request_timeout=_TIMEOUT_S)[topic]
    found = described.result(_TIMEOUT_S)
    if partition >= (count := len(found.partitions)):
        raise SettingsError(f"{topic} has partitions 0 to {count - 1}, not {partition}")
    return as_uuid(found.topic_id)


def _message(kafka: KafkaSettings, topic: str, partition: int, offset: int) -> Message:
    consumer = Consumer(
        client_options(
            kafka,
            **{
                "group.id": "session-relay-park",  # asked for by the library; nothing is committed
                "enable.auto.commit": False,
                "auto.offset.reset": "error",
                "logger": SILENT,
            },
        )
    )
    try:
        consumer.assign([TopicPartition(topic, partition, offset)])
        until_s = time.monotonic() + _TIMEOUT_S
        while time.monotonic() < until_s:
            message = consumer.poll(0.5)
            if message is None:
                continue
            if (error := message.error()) is not None:
                _raise(error)
            elif message.offset() == offset:
                return message
            else:
                break
        first, end = consumer.get_watermark_offsets(TopicPartition(topic, partition), _TIMEOUT_S)
    finally:
        consumer.close()
    if first <= offset < end:
        raise Unavailable("Kafka did not hand out the record in time, or that offset holds none")
    raise RelayError(f"the log of that partition has offsets {first} to {end - 1} now")


def _raise(error: KafkaError) -> None:
    gone = (KafkaError.OFFSET_OUT_OF_RANGE, KafkaError._AUTO_OFFSET_RESET, KafkaError._UNKNOWN_PARTITION)  # noqa: SLF001
    if error.code() in gone:
        raise RelayError(f"there is no such record: {error.str()}")
    raise KafkaException(error)
