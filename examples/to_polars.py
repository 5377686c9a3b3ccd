# /// script
# requires-python = ">=3.11"
# dependencies = ["confluent-kafka>=2.15.1,<2.16", "fastavro>=1.13", "httpx>=0.28", "polars>=1.30"]
# ///
"""Reads the finished nights that the topic holds now into a polars frame, and prints it or writes Parquet.

    uv run --script examples/to_polars.py nights.parquet

The frame is taken apart by hand: a zero byte, the schema's id in four bytes, the Avro body. KAFKA, TOPIC
and REGISTRY say where. No consumer group is used, so nothing is left behind.
"""

import io
import json
import os
import sys
from collections.abc import Iterator
from functools import cache
from typing import Any

import fastavro
import httpx
import polars as pl
from confluent_kafka import Consumer, KafkaException, TopicPartition

KAFKA = os.environ.get("KAFKA", "127.0.0.1:9092")
TOPIC = os.environ.get("TOPIC", "session.events")
REGISTRY = os.environ.get("REGISTRY", "http://127.0.0.1:8080")
FRAME_BYTES = 5
STAGES = {0: "wake", 1: "light", 2: "deep", 3: "rem"}
SCHEMA = {
    "event_id": pl.String,
    "source": pl.String,
    "session_id": pl.String,
    "session_start_time": pl.Datetime("us", "UTC"),
    "session_end_time": pl.Datetime("us", "UTC"),
    "utc_offset_seconds": pl.Int32,
    "sleep_efficiency": pl.Float64,
    **{f"{name}_minutes": pl.Float64 for name in STAGES.values()},
}


def values() -> Iterator[bytes]:
    """Every value from the first offset to what was the end when this began."""
    consumer = Consumer({"bootstrap.servers": KAFKA, "group.id": "unused", "enable.auto.commit": False})
    numbers = consumer.list_topics(TOPIC, timeout=10).topics[TOPIC].partitions
    spans = {n: consumer.get_watermark_offsets(TopicPartition(TOPIC, n), timeout=10) for n in numbers}
    consumer.assign([TopicPartition(TOPIC, n, first) for n, (first, _) in spans.items()])
    left = {n for n, (first, end) in spans.items() if first < end}
    while left:
        for message in consumer.consume(500, timeout=1.0):
            if (error := message.error()) is not None:
                raise KafkaException(error)
            if (value := message.value()) is not None:
                yield value
            if message.offset() + 1 >= spans[message.partition()][1]:
                left.discard(message.partition())
    consumer.close()


@cache
def schema(path: str) -> Any:
    """A parsed schema of the registry's."""
    told = httpx.get(f"{REGISTRY}{path}").raise_for_status().json()
    return fastavro.parse_schema(json.loads(told["schema"]))


def decoded(value: bytes) -> Any:
    """An event, read with the newest schema whatever version wrote it."""
    if value[:1] != b"\x00" or len(value) < FRAME_BYTES:
        raise ValueError("no Confluent frame")
    writer = schema(f"/schemas/ids/{int.from_bytes(value[1:FRAME_BYTES], 'big')}")
    newest = schema(f"/subjects/{TOPIC}-value/versions/latest")
    return fastavro.schemaless_reader(io.BytesIO(value[FRAME_BYTES:]), writer, newest)


def row(event: Any) -> dict[str, Any]:
    """A night as a row: minutes of each stage are counted in the hypnogram."""
    stages = event["sleep_stages"] or b""
    minutes = event["epoch_seconds"] / 60
    told = {name: event[name] for name in SCHEMA if name in event}
    told["sleep_efficiency"] = (event["statistics"] or {}).get("sleep_efficiency")
    return told | {f"{name}_minutes": stages.count(stage) * minutes for stage, name in STAGES.items()}


def main() -> None:
    """Keep of each night the last that is told; the sink's rule is stricter, see docs/consuming.md."""
    nights = {}
    for value in values():
        event = decoded(value)
        if event["type"] == "SESSION_COMPLETE":
            nights[event["tenant"], event["source"], event["session_id"]] = row(event)
    frame = pl.DataFrame(list(nights.values()), schema=SCHEMA)
    if len(sys.argv) > 1:
        frame.write_parquet(sys.argv[1])
    sys.stdout.write(f"{frame.describe()}\n{len(frame)} nights\n")


if __name__ == "__main__":
    main()
