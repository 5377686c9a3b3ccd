"""The sink's rows, read from the topic beforehand and kept as the very bytes that COPY takes.

So the client that measures Postgres' limit does nothing but send, and what it sends are the same rows, in
the order in which a consumer gets them.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, NamedTuple
from uuid import UUID

import psycopg
from confluent_kafka import Consumer
from psycopg import sql

from benchmarks.filling import partitions_of
from benchmarks.plain import COLUMNS as PLAIN_COLUMNS
from benchmarks.stand import Place
from config.errors import RelayError
from config.kafka import client_options
from config.sections import KafkaSettings, SinkSettings
from consumers import statements
from consumers.rows import COLUMNS, staged_row
from schemas.codec import decode
from schemas.event import SessionEvent

_TOPIC_ID: Final = UUID("5e551046-0000-4000-8000-000000000000")
"""In place of the real one: as many bytes, and the table does not care."""
_TIMEOUT_S: Final = 30.0


_Read = tuple[SessionEvent, int, int]


class Block(NamedTuple):
    """One batch as COPY's binary stream."""

    rows: int
    staged: bytes
    """For the sink's own staging table."""
    plain: bytes
    """For the plain statement's."""


def read_out(place: Place, count: int, sink: SinkSettings, told: Callable[[int], object]) -> list[Block]:
    """Read the topic to its end and make the batches that the sink would make of it.

    Args:
        place: The topic, and a database that gives rows their form; its tables stay as they are.
        count: Records of the topic.
        sink: The limits of a batch.
        told: Called with the number read so far.

    Raises:
        RelayError: The topic does not give so many records.
    """
    types = list(COLUMNS.values())
    blocks = []
    with psycopg.connect(place.database_url) as connection:
        connection.execute(statements.CREATE_STAGE)
        connection.commit()
        for batch in _batches(place.kafka, count, sink):
            with connection.transaction():
                with connection.cursor().copy(statements.COPY_STAGE) as copy:
                    copy.set_types(types)
                    for event, partition, offset in batch:
                        copy.write_row(staged_row(event, (_TOPIC_ID, partition, offset)))
                staged, plain = (_copied_out(connection, names) for names in (COLUMNS, PLAIN_COLUMNS))
                blocks.append(Block(len(batch), staged, plain))
            told(sum(block.rows for block in blocks))
    return blocks


def _batches(kafka: KafkaSettings, count: int, sink: SinkSettings) -> Iterator[list[_Read]]:
    options = {"group.id": "bench-read-out", "enable.auto.commit": False, "auto.offset.reset": "error"}
    consumer = Consumer(client_options(kafka, **options))
    try:
        consumer.assign(partitions_of(consumer, kafka))
        batch: list[_Read] = []
        found, size_bytes = 0, 0
        while found < count:
            messages = consumer.consume(min(500, sink.batch_rows - len(batch), count - found), _TIMEOUT_S)
            if not messages:
                raise RelayError(f"{kafka.events_topic} gave {found} of {count} records, then nothing.")
            for message in messages:
                partition, offset, value = message.partition(), message.offset(), message.value()
                if message.error() or partition is None or offset is None or value is None:
                    raise RelayError(f"{kafka.events_topic} can't be read: {message.error()}.")
                batch.append((decode(value), partition, offset))
                size_bytes += len(value)
            found += len(messages)
            if len(batch) >= sink.batch_rows or size_bytes >= sink.batch_bytes or found == count:
                yield batch
                batch, size_bytes = [], 0
    finally:
        consumer.close()


def _copied_out(connection: psycopg.Connection[Any], names: Iterable[str]) -> bytes:
    columns = sql.SQL(", ").join(map(sql.Identifier, names))
    with connection.cursor().copy(
        sql.SQL("COPY stage ({}) TO STDOUT (FORMAT BINARY)").format(columns)
    ) as copy:
        return b"".join(copy)
