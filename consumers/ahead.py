"""The next batch's COPY while the one before it is written, by a thread and on a connection of its own.

COPY waits for no row and locks none, so a batch need not spend that time in its turn. What is staged are the
records whose session the batch holds once, nearly all. Nothing is decided here, and nothing is told: what
could not be staged, or has waited for long, the write stages itself, and it hears the errors.
"""

from collections.abc import Mapping
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from queue import SimpleQueue
from threading import Thread
from time import monotonic
from typing import Any, Final, NamedTuple

import psycopg
from psycopg import Connection, Rollback
from psycopg_pool import ConnectionPool

from consumers.batch import Batch, Parted, parted
from consumers.stage import begun, copy_rows

_FRESH_S: Final = 10.0
"""Below the time after which Postgres ends a transaction that is idle: see `statements.timeouts`."""
_SOON_S: Final = 0.1
"""A connection is there, or the write waits for one itself: an outage must not be waited for twice."""
_LEAST_CONNECTIONS: Final = 3
"""One that is held ahead must not be the last one: the jobs before it and the projection need theirs."""


class Staged(NamedTuple):
    """A transaction under way, with the rows of those that come once in its staging table."""

    records: Parted
    connection: Connection[Any]
    transaction: ExitStack
    """Leaving it commits and gives the connection back, or rolls back where something was raised."""
    since_s: float

    def drop(self) -> None:
        """Roll back; where the connection is gone, so is what it staged, and psycopg passes our wish on."""
        with suppress(psycopg.Error, Rollback), self.transaction:
            raise Rollback


class Ahead:
    """Stages batches in the order in which they are submitted.

    `begin` is for the polling thread, `take` and `drop` for the writing one.

    Args:
        pool: Of the connections; with fewer than three nothing goes ahead.
        timeouts: Of each transaction, as `statements.timeouts` words them.
        fresh_s: What has waited for longer is let go.
    """

    def __init__(self, pool: ConnectionPool, timeouts: Mapping[str, str], fresh_s: float = _FRESH_S) -> None:
        self._pool, self._timeouts, self._fresh_s = pool, timeouts, fresh_s
        self._batches: SimpleQueue[tuple[Batch, Future[Staged | None]] | None] = SimpleQueue()
        self._futures: dict[int, Future[Staged | None]] = {}
        """By the identity of their batch, which its job keeps alive until `drop`."""
        self._thread = Thread(target=self._run, name="stager", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def begin(self, batch: Batch) -> None:
        """Stage a batch when those before it are staged."""
        if self._pool.max_size >= _LEAST_CONNECTIONS:
            future = self._futures[id(batch)] = Future()
            self._batches.put((batch, future))

    def take(self, batch: Batch) -> Staged | None:
        """What is staged of a batch, which is then the caller's to end; None if he has to stage it."""
        future = self._futures.pop(id(batch), None)
        if future is None or future.cancel():
            return None
        staged = future.result()
        if staged is None or monotonic() - staged.since_s < self._fresh_s:
            return staged
        staged.drop()
        return None

    def drop(self, batch: Batch) -> None:
        """Let go of what is staged of a batch, unless it was taken."""
        if (staged := self.take(batch)) is not None:
            staged.drop()

    def drop_all(self) -> None:
        """Let go of all that is staged: what was submitted behind a failure is void, or has to wait."""
        for future in [self._futures.pop(key) for key in list(self._futures)]:
            if not future.cancel() and (staged := future.result()) is not None:
                staged.drop()

    def end(self) -> None:
        """Let the thread end after what it is at."""
        self._batches.put(None)

    def join(self, timeout_s: float) -> None:
        """Wait for its end."""
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while (job := self._batches.get()) is not None:
            batch, future = job
            if future.set_running_or_notify_cancel():
                future.set_result(self._staged(batch))
            del job, batch, future  # the records are many, and this thread may wait for long

    def _staged(self, batch: Batch) -> Staged | None:
        try:
            records = parted(batch.reads)
            if not records.once:
                return None
            with ExitStack() as stack:
                connection = begun(stack, self._pool, self._timeouts, _SOON_S)
                copy_rows(connection, (read.row for read in records.once))
                return Staged(records, connection, stack.pop_all(), monotonic())
        except BaseException:  # noqa: BLE001 - somebody waits; the write meets it again, and knows what it is
            return None
