"""Bringing to Kafka what the file holds: one thread, in order, for as long as there is something."""

import sqlite3
import time
import traceback
from collections.abc import Callable, Sequence
from threading import Event, Thread
from typing import Final

import structlog

from config.errors import Unavailable
from producers.spool.file import Row, SetAside, SpoolFile
from producers.spool.ordered import OrderedPublisher
from producers.spool.writer import SpoolWriter

log = structlog.get_logger()

BATCH_ROWS: Final = 2_000
BATCH_BYTES: Final = 8 * 1024 * 1024
DAMAGED: Final = "DAMAGED"
_AGAIN_S: Final = 0.5


class Drain:
    """Reads rows, publishes them, and has them deleted.

    Args:
        writer: Whose file it is.
        publisher: Brings rows to Kafka.
        reaches_kafka: Whether the relay's own way to Kafka works, within a number of seconds.
        quick_s: A batch that Kafka acknowledges within that time shows that it is well.
        silent_s: After so long without any acknowledgement a batch begins anew, with a new producer: one that
            heard of a partition without a leader may never send to it again, whatever Kafka says later
            (librdkafka's issue 5430).
        on_progress: Called in this thread after each batch, and now and then while there is nothing to
            drain: whether Kafka has shown itself well.
    """

    def __init__(
        self,
        writer: SpoolWriter,
        publisher: OrderedPublisher,
        *,
        reaches_kafka: Callable[[float], bool],
        quick_s: float,
        silent_s: float,
        on_progress: Callable[[bool], None],
        stop: Event,
    ) -> None:
        self.through = 0
        """The last id that Kafka has; all before it are there too, or set aside."""
        self.oldest_us: int | None = None
        self._writer, self._publisher = writer, publisher
        self._reaches_kafka, self._quick_s, self._on_progress = reaches_kafka, quick_s, on_progress
        self._silent_s = silent_s
        self._told: type[Exception] | None = None
        """What kind of failure was told last: an outage repeats it."""
        self._stop = stop
        self._wake = Event()
        self._watched = False
        self._thread = Thread(target=self._run, name="spool-drain", daemon=True)

    def start(self) -> None:
        """Begin, with whatever the file holds."""
        self._thread.start()

    def wake(self) -> None:
        """Look for rows; safe in any thread."""
        self._wake.set()

    def watch(self, *, watched: bool) -> None:
        """Tell progress also while there is nothing to drain, or not any more."""
        self._watched = watched
        self._wake.set()

    def close(self, timeout_s: float) -> None:
        """End; what is left stays in the file."""
        self._stop.set()
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stop.is_set():
            if rows := self._read():
                self._publish(rows)
                continue
            self.oldest_us = None
            if self._watched:
                self._on_progress(self._reaches_kafka(self._quick_s))
            else:
                self._publisher.close()  # its connections are of no use for now
            self._wake.wait(_AGAIN_S if self._watched else None)
            self._wake.clear()
        self._publisher.close()

    def _read(self) -> list[Row]:
        if self.through >= self._writer.last_id:
            return []
        try:
            # a connection for each batch: the writer may have put another file in its place
            with SpoolFile(self._writer.path) as file:
                return file.read(self.through, BATCH_ROWS, BATCH_BYTES)
        except (sqlite3.Error, OSError) as error:
            log.error("spool_unreadable", error=str(error))  # noqa: TRY400 - its frames say no more
            return []

    def _publish(self, rows: Sequence[Row]) -> None:
        self.oldest_us = rows[0].spooled_at_us
        started_s = time.monotonic()
        try:
            aside = publish(self._publisher, rows, self._silent_s)
        except Exception as error:  # noqa: BLE001 - also of a bug of ours: what it holds is promised
            if not self._stop.is_set():
                self._tell(error)
                self._stop.wait(_AGAIN_S)
            return
        self._told = None
        if aside:
            log.error("events_set_aside", events=len(aside), reasons=sorted({one.reason for one in aside}))
        self.through = rows[-1].id
        self._writer.forget(self.through, aside)
        quick = time.monotonic() - started_s <= self._quick_s
        nearly_done = len(rows) < BATCH_ROWS
        self._on_progress(quick and nearly_done and self._reaches_kafka(self._quick_s))

    def _tell(self, error: Exception) -> None:
        if self._told is type(error):
            return
        self._told = type(error)
        if isinstance(error, Unavailable):
            log.warning("spool_drain_interrupted", error=str(error))
        else:  # frames only: its own text may quote an event
            frames = traceback.format_tb(error.__traceback__)
            log.error("spool_drain_failed", error=type(error).__name__, frames=frames)


def publish(publisher: OrderedPublisher, rows: Sequence[Row], timeout_s: float) -> list[SetAside]:
    """Bring rows to Kafka; those to set aside, which it refuses for good or which are damaged.

    Raises:
        Unavailable: As the publisher says; begin again with the same rows.
    """
    sound = [row for row in rows if not row.is_damaged]
    refused = publisher.publish([row.record for row in sound], timeout_s)
    aside = [SetAside(sound[index].id, reason) for index, reason in refused.items()]
    return aside + [SetAside(row.id, DAMAGED) for row in rows if row.is_damaged]
