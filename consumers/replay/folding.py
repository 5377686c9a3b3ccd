"""The log into the shadow, by the sink's own decoding, staging and upsert; rows and progress together.

Decoding the next batch overlaps with writing this one. What can't be stored is set aside and counted as
parked, as the sinks have counted it; nothing is sent anywhere.
"""

import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any, Final

from psycopg import Connection
from psycopg_pool import ConnectionPool

from config.errors import Poison, RelayError
from consumers import statements
from consumers.batch import Batch
from consumers.decoding import Decoder
from consumers.fates import postgres_errors
from consumers.isolate import Isolate
from consumers.offsets import Offsets
from consumers.positions import Position, Row
from consumers.races import tried_again
from consumers.replay.held import Held
from consumers.replay.origin import Source
from consumers.replay.shadow import TIMEOUTS
from consumers.write import Write

_ROWS: Final = 10_000
Positions = dict[int, Position]
Told = Callable[[int], None]
"""Told how many offsets were read since the last time."""


class Folding:
    """Folds what a reading hands out.

    Args:
        pool: Connections to the shadow.
        held: The log, or the partitions of it that are folded here.
        group: The sinks' group, whose offsets the shadow's are compared with.
        decoder: Reads records into rows.
    """

    def __init__(self, pool: ConnectionPool, held: Held, group: str, decoder: Decoder) -> None:
        self._pool, self._held, self._group, self._decoder = pool, held, group, decoder
        offsets = Offsets(held.topic, group)
        self._write, self._isolate = Write(pool, offsets, TIMEOUTS), Isolate(pool, TIMEOUTS)
        self.positions: Positions = {}

    def place(self) -> Mapping[int, int]:
        """Read how far the shadow is; returns the next offsets.

        Raises:
            RelayError: Retention has removed what comes next, the topic is another one, or it has
                partitions that the shadow was not begun with.
        """
        numbers = list(self._held.end)
        wanted = {"group": self._group, "topic": self._held.topic, "partitions": numbers}
        with postgres_errors(), self._pool.connection() as connection:
            rows = connection.execute(statements.READ_OFFSETS, wanted).fetchall()
            skips = connection.execute(statements.READ_SKIPS, wanted).fetchall()
        for number, topic_id, next_offset in rows:
            first = self._held.first.get(number)
            if topic_id != self._held.topic_id or first is None:
                raise RelayError("the topic was recreated since the rebuild began: cancel it, and begin anew")
            if next_offset < first:
                raise RelayError(
                    f"retention has removed what comes next, partition {number} from offset {next_offset} "
                    "on: cancel the rebuild, and begin anew"
                )
            skipped = frozenset(o for t, p, o in skips if (t, p) == (topic_id, number))
            row = Row(topic_id, next_offset)
            self.positions[number] = Position(
                topic_id=topic_id, row=row, begin=next_offset, first=first, skips=skipped
            )
        if added := sorted(self._held.end.keys() - self.positions):
            raise RelayError(
                f"partition {added[0]} was added since the rebuild began: cancel it, and begin anew"
            )
        self._decoder.place(self.positions)
        return {number: position.begin for number, position in self.positions.items()}

    def fold(self, reading: Source, told: Told, rate: float | None = None) -> None:
        """Everything up to the reading's ends, batch by batch.

        Raises:
            Unavailable: Postgres or Kafka is away; what is committed stays.
            Fenced: Another process has folded into this shadow: it is to be placed anew.
        """
        begun_s, done = time.monotonic(), 0
        most = _ROWS if rate is None else max(1, min(_ROWS, int(rate / 4)))
        with ThreadPoolExecutor(1, "folding") as thread:
            writing: Future[None] | None = None
            while records := reading.read(most):
                batch = Batch()
                self._decoder.add(batch, records)
                if writing is not None:
                    writing.result()
                writing = thread.submit(self._apply, batch)
                told(len(records))
                done += len(records)
                if rate is not None:
                    time.sleep(max(0.0, begun_s + done / rate - time.monotonic()))
            if writing is not None:
                writing.result()

    def within(self, connection: Connection[Any], reading: Source) -> Positions:
        """The same in the transaction that the connection is in; returns the positions after its COMMIT.

        Raises:
            Poison: Postgres rejects a record: the transaction is lost, `fold` finds out which it is.
        """
        positions = dict(self.positions)
        while records := reading.read(_ROWS):
            batch = Batch()
            self._decoder.add(batch, records)
            self._write.within(connection, batch, positions)
            connection.execute(statements.EMPTY_STAGE)
            _move(positions, batch)
        return positions

    def _apply(self, batch: Batch) -> None:
        while True:
            try:
                # another process that folds may have changed the same session: one told under two users
                tried_again(lambda: self._write(batch, self.positions))
                break
            except Poison as rejected:
                found = tried_again(lambda: self._isolate(batch))
                if not found:
                    raise RuntimeError(f"Postgres rejects a batch, and no record of it: {rejected}") from None
                batch.set_aside(found)
        _move(self.positions, batch)


def _move(positions: Positions, batch: Batch) -> None:
    for number, span in batch.spans.items():
        row = Row(positions[number].topic_id, span.end)
        positions[number] = replace(positions[number], row=row, begin=span.end)
