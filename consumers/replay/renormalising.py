"""Records read anew from their `raw` by today's normalisers, while they are folded."""

from collections.abc import Callable, Sequence

import msgspec

from consumers.batch import Batch, Read
from consumers.consumer import Record
from consumers.decoding import Decoder
from consumers.rows import packed_row, staged_row
from schemas.codec import decode, problems_of
from schemas.event import RANK, SessionEvent
from schemas.reader import Read as ReadBody

Renormalise = Callable[[SessionEvent], SessionEvent | None]
"""An event with its `raw` to the event that today's normaliser makes of it; None if it makes none."""


class Retold(Read, gc=False, eq=False):
    """A record whose event is another one than its bytes say."""

    told: SessionEvent | None = None

    @property
    def event(self) -> SessionEvent:
        """The event that today's normaliser has read."""
        return self.told if self.told is not None else decode(self.message.value(), self.foreign)


class RenormalisingDecoder(Decoder):
    """Reads records as the sink does, and then their `raw` anew.

    What keeps its place in the log keeps its id and its arrival too: an event is told better, it does not
    become another one. What has no `raw`, or what today's normaliser does not take, stays as it is.

    Args:
        renormalise: Reads one event's `raw`.
        foreign: As the sink's.
    """

    def __init__(self, renormalise: Renormalise, foreign: Callable[[int], ReadBody] | None = None) -> None:
        super().__init__(foreign)
        self._renormalise = renormalise
        self.retold = 0
        """Events that were read anew."""
        self.kept = 0
        """Events that stayed as they were."""

    def add(self, batch: Batch, records: Sequence[Record]) -> list[Read]:
        """Add records to the batch, poison with its bytes; returns those that can be stored."""
        reads = super().add(batch, records)
        if reads:
            retold = [self._again(read) for read in reads]
            batch.reads[-len(reads) :] = retold
            return retold
        return reads

    def _again(self, read: Read) -> Read:
        event = read.event
        told = self._renormalise(event) if event.raw is not None else None
        if told is None or told.session_id is None or told.type not in RANK:
            self.kept += 1
            return read
        told = msgspec.structs.replace(
            told,
            event_id=event.event_id,
            source=event.source,
            tenant=event.tenant,
            received_at=event.received_at,
        )
        if problems_of(told) or told.session_id is None:
            self.kept += 1
            return read
        self.retold += 1
        place = self._positions[read.partition].topic_id, read.partition, read.offset
        key = told.tenant.encode(), told.source.encode(), told.session_id.encode()
        row = packed_row(staged_row(told, place))
        return Retold(
            read.message, read.partition, read.offset, row, key, told.received_at, read.foreign, told=told
        )
