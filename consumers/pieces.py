"""Smaller batches: where the whole takes Postgres too long, and how large they may be again later."""

from collections.abc import Sequence
from typing import Final, assert_never

import structlog

from consumers.batch import Batch, Read, Skipped, Span, Unstorable

log = structlog.get_logger()

_Record = Read | Unstorable | Skipped

_IN_A_ROW: Final = 8
"""So many pieces have to go well before twice as much is tried: each wrong guess costs a time-out."""


def pieces_of(batch: Batch, most_rows: int) -> list[Batch]:
    """The same records in the order of the log, in batches of so many rows at most.

    They cover the same offsets without a hole: of each partition, one begins where the one before ends.
    """
    if batch.rows <= most_rows:
        return [batch]
    records: list[_Record] = [*batch.reads, *batch.poison, *batch.skipped]
    records.sort(key=lambda record: (record.partition, record.offset))
    begins = {partition: span.begin for partition, span in batch.spans.items()}
    pieces, last = [], dict[int, Batch]()
    for first in range(0, len(records), most_rows):
        piece = _piece(records[first : first + most_rows], begins)
        pieces.append(piece)
        last.update(dict.fromkeys(piece.spans, piece))
    for partition, piece in last.items():
        piece.spans[partition].end = batch.spans[partition].end
    return pieces


def _piece(records: Sequence[_Record], begins: dict[int, int]) -> Batch:
    piece = Batch()
    for record in records:
        match record:
            case Read():
                piece.reads.append(record)
            case Unstorable():
                piece.poison.append(record)
            case Skipped():
                piece.skipped.append(record)
            case _:
                assert_never(record)
        span = piece.spans.get(record.partition, Span(begins[record.partition], 0, 0))
        piece.spans[record.partition] = Span(span.begin, record.offset + 1, span.records + 1)
    begins.update({partition: span.end for partition, span in piece.spans.items()})
    return piece


class Pace:
    """How many rows one transaction may have: halved by a time-out, doubled after some that went well.

    Args:
        most_rows: Of a whole batch: the limit is gone when it has grown back to this.
    """

    def __init__(self, most_rows: int) -> None:
        self._whole, self._most, self._well = most_rows, most_rows, 0

    def cut(self, batch: Batch) -> list[Batch]:
        """The batch in pieces of the size that is right now."""
        return pieces_of(batch, self._most)

    def took_too_long(self, rows: int) -> None:
        """So many rows at once were too many."""
        self._most, self._well = (rows + 1) // 2, 0
        log.warning("batch_halved", because="a statement ran into its time-out", most_rows=self._most)

    def went_well(self) -> None:
        """A piece was written in time."""
        if self._most >= self._whole:
            return
        self._well += 1
        if self._well >= _IN_A_ROW:
            self._most, self._well = min(self._whole, self._most * 2), 0
            log.info("batch_grows_back", most_rows=self._most)
