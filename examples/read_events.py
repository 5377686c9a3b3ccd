# /// script
# requires-python = ">=3.11"
# dependencies = ["confluent-kafka[avro,schemaregistry]>=2.15.1,<2.16", "authlib<1.7"]
# ///
"""Prints every event that the topic holds now, as a line of JSON, and ends.

With Confluent's own client, consumer group and deserialiser. KAFKA, TOPIC, REGISTRY and GROUP say where;
the registry is the relay's own, or any that speaks Confluent's API.
"""

import json
import os
import sys
from typing import Any

from confluent_kafka import Consumer, KafkaError, KafkaException
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import MessageField, SerializationContext

KAFKA = os.environ.get("KAFKA", "127.0.0.1:9092")
TOPIC = os.environ.get("TOPIC", "session.events")
REGISTRY = os.environ.get("REGISTRY", "http://127.0.0.1:8080")
GROUP = os.environ.get("GROUP", "example.read-events")


def main() -> None:
    """Read to the end of every partition; the group's offsets stay as they are, so each run reads all."""
    consumer = Consumer(
        {
            "bootstrap.servers": KAFKA,
            "group.id": GROUP,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "isolation.level": "read_committed",
        }
    )
    partitions = len(consumer.list_topics(TOPIC, timeout=10).topics[TOPIC].partitions)
    consumer.subscribe([TOPIC])
    ended: set[int | None] = set()
    with SchemaRegistryClient({"url": REGISTRY}) as registry:
        # the newest schema reads what every version wrote; a field that it brought is null in older events
        newest = registry.get_latest_version(f"{TOPIC}-value").schema
        decode = AvroDeserializer(registry, newest)
        context = SerializationContext(TOPIC, MessageField.VALUE)
        while len(ended) < partitions:
            message = consumer.poll(1.0)
            if message is None:
                continue
            if (error := message.error()) is not None:
                if error.code() != KafkaError._PARTITION_EOF:  # noqa: SLF001 - the library's own name
                    raise KafkaException(error)
                ended.add(message.partition())
                continue
            sys.stdout.write(f"{line(decode(message.value(), context))}\n")
    consumer.close()


def line(event: Any) -> str:
    """Some of an event; times are datetimes with a zone, stages one byte an epoch."""
    return json.dumps(
        {
            "event_id": event["event_id"],
            "type": event["type"],
            "occurred_at": event["occurred_at"].isoformat(),
            "epochs": len(event["sleep_stages"] or b""),
        }
    )


if __name__ == "__main__":
    main()
