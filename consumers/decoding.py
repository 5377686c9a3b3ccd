"""Records into the growing batch: read with their staged rows, or poison with their bytes."""

from collections.abc import Mapping, Sequence
from typing import Final
from uuid import UUID

import structlog
from confluent_kafka import Message

from config import metrics
from config.errors import Poison, Unavailable
from consumers.batch import Batch, Read, Skipped, Span, unstorable
from consumers.consumer import Record
from consumers.fold import from_the_future
from consumers.positions import Position
from consumers.rows import packed_row, staged_row
from consumers.staging import place_of, short_way
from schemas.codec import decode
from schemas.event import RANK
from schemas.versions import LATEST

log = structlog.get_logger()

_staged: Final = short_way(LATEST.parsed)


class Decoder:
    """Reads records of placed partitions; used by the polling thread alone."""

    def __init__(self) -> None:
        self._positions: dict[int, Position] = {}
        self._places: dict[int, bytes] = {}

    def place(self, positions: Mapping[int, Position]) -> None:
        """Take in where partitions go on."""
        self._positions.update(positions)
        for partition, position in positions.items():
            self._places[partition] = place_of(position.topic_id, partition)

    def add(self, batch: Batch, records: Sequence[Record]) -> list[Read]:
        """Add records to the batch, poison with its bytes; returns those that can be stored."""
        reads: list[Read] = []
        future, size_bytes = 0, 0
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
            staged = _staged(value, self._places[partition], offset)
            if staged is not None:
                row, key, received_us, from_future = staged
                future += from_future
                reads.append(Read(message, partition, offset, row, key, received_us))
                continue
            try:
                read, from_future = read_of(message, (self._positions[partition].topic_id, partition, offset))
                future += from_future
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


def read_of(message: Message, place: tuple[UUID, int, int]) -> tuple[Read, bool]:
    """Read a record the long way; also, whether it claims to have occurred more than 24 hours after it came.

    Args:
        message: The record.
        place: Topic id, partition, offset.

    Raises:
        Poison: It can't be stored.
        StoppedForSafety: Its schema is ours and newer than this version.
    """
    _, partition, offset = place
    event = decode(message.value())
    if event.type not in RANK or event.session_id is None:
        return Read(message, partition, offset, b"", None, event.received_at), from_the_future(event)
    key = event.tenant.encode(), event.source.encode(), event.session_id.encode()
    row = packed_row(staged_row(event, place))
    return Read(message, partition, offset, row, key, event.received_at), from_the_future(event)
