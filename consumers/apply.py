"""A batch's way into Postgres: set aside what can't be stored, halve what takes too long, repeat lost races.

Each dead letter is acknowledged by Kafka before the offset of its record moves. What goes well costs
nothing here: one transaction, as `write.py` makes it.
"""

from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Protocol

from config import metrics
from config.errors import Poison
from consumers.batch import Batch, Unstorable
from consumers.dead_letters import DeadLetters
from consumers.fates import TookTooLong
from consumers.isolate import Isolate
from consumers.pieces import Pace
from consumers.positions import Position
from consumers.races import tried_again
from consumers.storm import Storm
from consumers.write import Tally, Write

Settle = Callable[[Batch, Tally], None]
"""Told of each piece after its COMMIT: positions move on."""


class Applying(Protocol):
    """Applies batches, whatever stands around it."""

    def __call__(self, batch: Batch, positions: Mapping[int, Position], settle: Settle) -> None:
        """Apply a batch that begins at these positions."""
        ...


class Apply:
    """Applies batches, in as many transactions as it takes; used by the writing thread alone."""

    def __init__(
        self, *, write: Write, isolate: Isolate, dead_letters: DeadLetters, storm: Storm, pace: Pace
    ) -> None:
        self._write, self._isolate = write, isolate
        self._dead_letters, self._storm, self._pace = dead_letters, storm, pace

    def _park(self, batch: Batch, records: Sequence[Unstorable], positions: Mapping[int, Position]) -> None:
        """See these records of the batch safe in the dead-letter topic, unless it is a storm."""
        self._storm.check(batch)
        if not records:
            return
        begun = perf_counter()
        topic_ids = {record.partition: positions[record.partition].topic_id for record in records}
        self._dead_letters.park(records, topic_ids)
        metrics.SINK_BATCH.labels(stage="park").observe(perf_counter() - begun)

    def __call__(self, batch: Batch, positions: Mapping[int, Position], settle: Settle) -> None:
        """Apply a batch that begins at these positions.

        What is committed when this raises was settled piece by piece; the table knows it too.

        Raises:
            PostgresUnavailable: Nothing more can be written now; also where one row alone takes too long.
            KafkaUnavailable: Poison could not be parked.
            Fenced: Somebody else has moved one of the partitions on.
            StoppedForSafety: There is too much poison; the batch's was not parked.
        """
        self._park(batch, batch.poison, positions)
        waiting = [batch]
        while waiting:
            piece, *rest = self._pace.cut(waiting.pop())
            if rest:
                self._write.drop_staged(batch)
                waiting += reversed(rest)
            try:
                tally = self._applied(piece, positions)
            except TookTooLong:
                if piece.rows <= 1:
                    raise
                self._pace.took_too_long(piece.rows)
                waiting.append(piece)
                continue
            self._pace.went_well()
            self._storm.settle(piece)
            settle(piece, tally)

    def _applied(self, piece: Batch, positions: Mapping[int, Position]) -> Tally:
        """Write the piece, without what Postgres rejects of it."""
        while True:
            try:
                return tried_again(lambda: self._write(piece, positions))
            except Poison as rejected:
                found = tried_again(lambda: self._isolate(piece))
                if not found:
                    raise RuntimeError(f"Postgres rejects a batch, and no record of it: {rejected}") from None
            piece.set_aside(found)
            self._park(piece, found, positions)
