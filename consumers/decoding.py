"""Records into the growing batch: decoded with their staged rows, or poison with their bytes."""

from collections.abc import Mapping, Sequence

from config.errors import Poison
from consumers.batch import Batch, Read, Skipped, Span, unstorable
from consumers.consumer import Record
from consumers.positions import Position
from consumers.rows import staged_row
from schemas.codec import decode
from schemas.event import RANK


class Decoder:
    """Decodes records of placed partitions; used by the polling thread alone."""

    def __init__(self) -> None:
        self._positions: dict[int, Position] = {}

    def place(self, positions: Mapping[int, Position]) -> None:
        """Take in where partitions go on."""
        self._positions.update(positions)

    def add(self, batch: Batch, records: Sequence[Record]) -> list[Read]:
        """Add records to the batch, poison with its bytes; returns those that could be decoded."""
        reads: list[Read] = []
        topic_ids = {partition: at.topic_id for partition, at in self._positions.items()}
        skips = {(partition, offset) for partition, at in self._positions.items() for offset in at.skips}
        seen: dict[int, tuple[int, int, int]] = {}  # of each partition: first expected offset, end, records
        for partition, expected, offset, message in records:
            begin, _, count = seen.get(partition, (expected, 0, 0))
            seen[partition] = begin, offset + 1, count + 1
            if skips and (partition, offset) in skips:
                batch.skipped.append(Skipped(partition, offset))
                continue
            value = message.value()
            try:
                event = decode(value)
                place = topic_ids[partition], partition, offset
                row = staged_row(event, place) if event.type in RANK else None
                reads.append(Read(event, partition, offset, row, message))
            except Poison as poison:
                batch.poison.append(unstorable(partition, offset, message, poison))
            batch.size_bytes += len(value) if value is not None else 0
        for partition, (begin, end, count) in seen.items():
            span = batch.spans.get(partition, Span(begin, begin, 0))
            batch.spans[partition] = Span(span.begin, end, span.records + count)
        batch.reads += reads
        return reads
