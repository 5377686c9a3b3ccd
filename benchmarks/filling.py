"""Filling a topic beforehand, as the relay does it record by record."""

import time
from collections.abc import Callable, Iterable
from itertools import islice
from typing import Final

import msgspec
from confluent_kafka import Consumer, Producer, TopicPartition

from config.errors import RelayError
from config.kafka import client_options
from config.sections import KafkaSettings
from producers.pipeline import to_record
from schemas.event import SessionEvent
from schemas.headers import continue_trace

_STEP: Final = 1_000
_TIMEOUT_S: Final = 60.0


def fill(
    kafka: KafkaSettings, events: Iterable[SessionEvent], count: int, told: Callable[[int], object]
) -> None:
    """Publish the first `count` events, keys, headers, partitions and times as the relay would choose them.

    Args:
        kafka: Where; the topic must be empty.
        events: At least as many as are wanted.
        count: How many are published.
        told: Called now and then with the number published so far.

    Raises:
        RelayError: The topic does not hold exactly so many afterwards.
    """
    options = {"acks": "all", "enable.idempotence": True, "partitioner": "murmur2_random", "linger.ms": 20}
    producer = Producer(client_options(kafka, **options))
    for number, template in enumerate(islice(events, count)):
        event = msgspec.structs.replace(template, received_at=time.time_ns() // 1_000)
        topic, key, value, headers = to_record(event, continue_trace(None), kafka.events_topic)
        while True:
            try:
                producer.produce(topic, value, key, headers=list(headers))
                break
            except BufferError:  # full: librdkafka sends while we wait
                producer.poll(0.1)
        if number % _STEP == 0:
            producer.poll(0)
            told(number)
    left = producer.flush(_TIMEOUT_S)
    found = count_records(kafka)
    if left or found != count:
        raise RelayError(f"{kafka.events_topic} holds {found} records, not {count}; {left} were not sent.")
    told(count)


def count_records(kafka: KafkaSettings) -> int:
    """How many records the topic of events holds."""
    consumer = Consumer(client_options(kafka, **{"group.id": "bench-count"}))
    try:
        count = 0
        for partition in partitions_of(consumer, kafka):
            first, end = consumer.get_watermark_offsets(partition, _TIMEOUT_S)
            count += end - first
        return count
    finally:
        consumer.close()


def partitions_of(consumer: Consumer, kafka: KafkaSettings) -> list[TopicPartition]:
    """Every partition of the topic of events, from its begin."""
    found = consumer.list_topics(kafka.events_topic, _TIMEOUT_S).topics[kafka.events_topic]
    return [TopicPartition(kafka.events_topic, number, 0) for number in sorted(found.partitions)]
