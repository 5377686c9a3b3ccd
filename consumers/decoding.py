"""Records into the growing batch: read with their staged rows, or poison with their bytes."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from uuid import UUID

import structlog
from confluent_kafka import TIMESTAMP_NOT_AVAILABLE, Message

from config import metrics
from config.errors import Poison, Unavailable
from consumers.batch import Batch, Read, Skipped, Span, unstorable
from consumers.consumer import Record
from consumers.fold import from_the_future
from consumers.positions import Position
from consumers.rows import packed_row, staged_row
from consumers.staging import place_of, short_way
from schemas.codec import FRAME_SIZE, PREFIX, decode
from schemas.event import RANK
from schemas.reader import Read as ReadBody
from schemas.versions import LATEST, PINNED_IDS

log = structlog.get_logger()


class Decoder:
    """Reads records of placed partitions; used by the polling thread alone.

    Args:
        foreign: Finds the reader of a schema id that is not ours, where there is a registry.
    """

    def __init__(self, foreign: Callable[[int], ReadBody] | None = None) -> None:
        self._positions: dict[int, Position] = {}
        self._places: dict[int, bytes] = {}
        self._foreign = foreign
        self._prefixes = {PREFIX}
        """Frames of the newest schema, under a registry's ids too as soon as they have been met."""
        self._staged = short_way(LATEST.schema, self._prefixes)

    def place(self, positions: Mapping[int, Position]) -> None:
        """Take in where partitions go on."""
        self._positions.update(positions)
        for partition, position in positions.items():
            self._places[partition] = place_of(position.topic_id, partition)

    def add(self, batch: Batch, records: Sequence[Record]) -> list[Read]:
        """Add records to the batch, poison with its bytes; returns those that can be stored.

        Raises:
            RegistryUnavailable: A schema's registry is away; the batch is spoiled and has to be dropped.
            StoppedForSafety: A newer version wrote.
        """
        reads: list[Read] = []
        future, size_bytes = 0, 0
        stage, foreign = self._staged, self._foreign
        skips = {(partition, offset) for partition, at in self._positions.items() for offset in at.skips}
        for partition, expected, offset, message in records:
            span = batch.spans.get(partition)
            if span is None:
                span = batch.spans[partition] = Span(expected, expected, 0)
            span.end, span.records = offset + 1, span.records + 1
            if skips and (partition, offset) in skips:
                batch.skipped.append(Skipped(partition, offset))
                continue
            value = message.value()
            size_bytes += len(value) if value is not None else 0
            staged = stage(value, self._places[partition], offset)
            if staged is not None:
                row, key, received_us, from_future = staged
                future += from_future
                reads.append(Read(message, partition, offset, row, key, received_us, foreign))
                continue
            try:
                place = self._positions[partition].topic_id, partition, offset
                read, from_future = read_of(message, place, foreign)
                future += from_future
                if foreign is not None and value is not None:
                    self._learn(value[:FRAME_SIZE], foreign)
                reads.append(read)
            except Poison as poison:
                batch.poison.append(unstorable(partition, offset, message, poison))
            except Exception as error:
                if not isinstance(error, Unavailable):  # what it is, is told where the process ends
                    log.error("record_stops_the_sink", partition=partition, offset=offset)  # noqa: TRY400
                raise
        batch.size_bytes += size_bytes
        batch.reads += reads
        metrics.SINK_FUTURE_EVENTS.inc(future)
        return reads

    def _learn(self, frame: bytes, foreign: Callable[[int], ReadBody]) -> None:
        """Let records with this frame go the short way, if their id turned out to be the newest schema's."""
        schema_id = int.from_bytes(frame[1:])
        if schema_id not in PINNED_IDS and foreign(schema_id) is LATEST.read:
            self._prefixes.add(frame)


def made_us(records: Sequence[Record]) -> Iterator[int]:
    """When records were made, as Kafka tells it of those that can't be read now; µs since 1970."""
    for *_, message in records:
        kind, made_ms = message.timestamp()
        if kind != TIMESTAMP_NOT_AVAILABLE:
            yield made_ms * 1000


def read_of(
    message: Message, place: tuple[UUID, int, int], foreign: Callable[[int], ReadBody] | None = None
) -> tuple[Read, bool]:
    """Read a record the long way; also, whether it claims to have occurred more than 24 hours after it came.

    Args:
        message: The record.
        place: Topic id, partition, offset.
        foreign: Finds the reader of a schema id that is not ours.

    Raises:
        Poison: It can't be stored.
        RegistryUnavailable: What its schema is can't be found out now.
        StoppedForSafety: Its schema is ours and newer than this version.
    """
    _, partition, offset = place
    event = decode(message.value(), foreign)
    if event.type not in RANK or event.session_id is None:
        read = Read(message, partition, offset, b"", None, event.received_at, foreign)
        return read, from_the_future(event)
    key = event.tenant.encode(), event.source.encode(), event.session_id.encode()
    row = packed_row(staged_row(event, place))
    return Read(message, partition, offset, row, key, event.received_at, foreign), from_the_future(event)
