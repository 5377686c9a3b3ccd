"""The spool's one writer: a thread that commits all that came meanwhile at once.

A burst so pays one fsync for many deliveries, and the event loop none. What the drain has brought to Kafka
is deleted in the same commits.
"""

import asyncio
import shutil
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from threading import Event, Thread
from typing import Final

import structlog

from config.clock import Clock
from config.health import Dependency
from producers.delivery import NotAcknowledged, Whereabouts
from producers.kafka_errors import MENDABLE
from producers.publish import Pending
from producers.spool import file
from producers.spool.file import Row, SetAside, SpoolFile
from producers.spool.place import Place

log = structlog.get_logger()

_GROUP_RECORDS: Final = 2_000
_AGAIN_S: Final = 1.0
_SPOOLED: Final[Whereabouts] = "spooled"


class SpoolWriter:
    """Owns the file for as long as the process lives.

    A file that can't be written is closed and tried again every second; until then what is appended is
    refused at once. Attributes are read by other threads as they are.

    Args:
        place: Which file.
        max_bytes: More than that is refused.
        dependency: Told how the file does.
        clock: For when an event was spooled.
        on_rows: Called in this thread when there are rows that nobody has read yet.
    """

    def __init__(
        self,
        place: Place,
        *,
        max_bytes: int,
        dependency: Dependency,
        clock: Clock,
        on_rows: Callable[[], None],
    ) -> None:
        self.path = place.path
        self.last_id = self.events = self.size_bytes = self.set_aside = 0
        self.unwritten = 0
        """Deliveries that were appended and have no answer yet; the event loop's."""
        self._place, self._max_bytes = place, max_bytes
        self._dependency, self._clock, self._on_rows = dependency, clock, on_rows
        self._loop = asyncio.get_running_loop()
        self._file: SpoolFile | None = None
        self._appended: deque[Pending] = deque()
        self._aside: list[SetAside] = []
        self._acknowledged = self._forgotten = 0
        self._tidy = self._closing = self._released = False
        self._full = self._failing = False
        self._tried_s = 0.0
        self._writing: tuple[float, list[Pending]] | None = None
        """Since when, and what, a commit is under way."""
        self._hangs = False
        self._given_up: list[Pending] | None = None
        """What was refused while its commit is under way."""
        self._wake = Event()
        self._thread = Thread(target=self._run, name="spool-writer", daemon=True)

    def start(self) -> None:
        """Open the file, which may fail for now, and begin to write."""
        self._open()
        self._thread.start()

    def room_bytes(self) -> int:
        """How much more it can take: by its bound, or by its disk where that is less; safe in any thread."""
        bound = max(0, self._max_bytes - self.size_bytes)
        try:
            return min(bound, shutil.disk_usage(self.path.parent).free)
        except OSError:  # the disk is gone, and with it the room
            return 0

    def append(self, pending: Pending) -> None:
        """Have a delivery written; its future tells in the event loop how it went."""
        if self._hangs:  # what is refused must not pile up behind a disk that may never answer
            pending.end(NotAcknowledged("spool_unavailable"))
            return
        self.unwritten += 1
        self._appended.append(pending)
        self._wake.set()

    def forget(self, through_id: int, aside: Sequence[SetAside] = ()) -> None:
        """Delete the rows up to an id, as Kafka has them, save those that are set aside; in time."""
        self._aside += aside
        self._acknowledged = through_id
        self._wake.set()

    def tidy(self) -> None:
        """Give the disk back what the file no longer needs; in time."""
        self._tidy = True
        self._wake.set()

    def refuse_late(self, after_s: float) -> None:
        """Refuse all, while a commit takes longer than this: the disk hangs.

        To be called in the event loop, now and then. What is in that commit may still be written: the repeat
        has no second effect.
        """
        now_s = self._clock.monotonic_s()
        began_s, group = self._writing or (now_s, None)
        self._hangs = now_s - began_s > after_s or not self._thread.is_alive()
        if not self._hangs:
            return
        self._dependency.failed("the disk does not answer")
        waiting = list(self._taken())
        self.unwritten -= len(waiting)
        if group is not None and group is not self._given_up:
            self.unwritten -= len(group)
            self._given_up = group
        for pending in [*(group or ()), *waiting]:
            pending.end(NotAcknowledged("spool_unavailable"))

    def close(self, timeout_s: float) -> None:
        """Write what is waiting, and end; the file is then another process' to take."""
        self._closing = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout_s)
        if not self._thread.is_alive() and not self._released:  # else the disk hangs: it stays ours
            self._released = True
            self._place.release()

    def _run(self) -> None:
        while not self._closing or self._appended:
            self._wake.wait(_AGAIN_S if self._file is None else None)
            self._wake.clear()
            if self._file is None and self._clock.monotonic_s() - self._tried_s >= _AGAIN_S:
                self._open()
            while self._appended or self._owes():
                self._commit()
        if self._file is not None:
            with suppress(sqlite3.Error):
                self._file.close()

    def _owes(self) -> bool:
        """Whether something besides appending is to be done, and can be."""
        return self._file is not None and (self._acknowledged > self._forgotten or self._tidy)

    def _commit(self) -> None:
        group, rows = self._take_group()
        self._writing = self._clock.monotonic_s(), group
        through, aside = self._acknowledged, self._aside[:]
        error: sqlite3.Error | None = None
        try:
            if self._file is not None:
                self._write(rows, aside, through)
        except sqlite3.Error as found:
            error = found
            self._fail(error)
        self._writing = None  # before its answers: whoever finds it there may count on giving it up
        if group:
            refusal = None if self._file is not None else NotAcknowledged("spool_unavailable")
            self._loop.call_soon_threadsafe(self._resolve, group, refusal or _SPOOLED)
            if refusal is None:
                self._on_rows()

    def _write(self, rows: list[Row], aside: list[SetAside], through: int) -> None:
        assert self._file is not None  # noqa: S101 - for the types
        if rows or through > self._forgotten:
            deleted, freed = self._file.write(rows, aside, through if through > self._forgotten else 0)
            del self._aside[: len(aside)]
            self._forgotten = through
            self.set_aside += len(aside)
            self.events += len(rows) - deleted
            self.size_bytes += sum(row.size_bytes for row in rows) - freed
            self.last_id = rows[-1].id if rows else self.last_id
        elif self._tidy:
            self._tidy = False
            self._file.tidy()
        else:
            return  # what waited was refused meanwhile: nobody has asked the disk anything
        if not self._full:
            self._dependency.succeeded()

    def _take_group(self) -> tuple[list[Pending], list[Row]]:
        """What waits, as far as there is room for it; the rest is refused."""
        group: list[Pending] = []
        rows: list[Row] = []
        refused: list[Pending] = []
        room_bytes, next_id, now_us = (
            self._max_bytes - self.size_bytes,
            self.last_id + 1,
            self._clock.now_us(),
        )
        for pending in self._taken():
            sizes = [file.size_bytes(record) for record in pending.records]
            if sum(sizes) > room_bytes:
                refused.append(pending)
                continue
            room_bytes -= sum(sizes)
            for size, record in zip(sizes, pending.records, strict=True):
                rows.append(Row(next_id, now_us, size, record))
                next_id += 1
            group.append(pending)
            if len(rows) >= _GROUP_RECORDS:
                break
        self._full = bool(refused)
        if refused:
            self._dependency.failed("it is full")
            self._loop.call_soon_threadsafe(self._resolve, refused, NotAcknowledged("spool_full"))
        return group, rows

    def _taken(self) -> Iterator[Pending]:
        """What waits, each for whoever gets it: the writing thread, or the event loop to refuse it."""
        with suppress(IndexError):
            while True:
                yield self._appended.popleft()

    def _open(self) -> None:
        """Open the file, or once all that it holds is in Kafka, a new one in its place."""
        self._tried_s = self._clock.monotonic_s()
        try:
            try:
                self._file = self._opened()
            except sqlite3.Error:
                if not self.last_id or self._acknowledged < self.last_id or self.set_aside or self._aside:
                    raise
                file.remove(self.path)
                self._file = self._opened()
        except (sqlite3.Error, OSError) as error:
            self._fail(error)
            return
        self._failing = False
        self._dependency.succeeded()
        if self.events:
            self._on_rows()

    def _opened(self) -> SpoolFile:
        opened = SpoolFile(self.path)
        try:
            if self._acknowledged:
                aside, through = self._aside[:], self._acknowledged
                opened.write((), aside, through)
                del self._aside[: len(aside)]
                self._forgotten = through
            if not self._acknowledged:  # ids that the drain has passed are of no use
                opened.take_back(MENDABLE)
            opened.probe()
            held = opened.held()
        except BaseException:
            opened.close()
            raise
        self.last_id = max(held.last_id, self._acknowledged)
        self.events, self.size_bytes = held.events, held.size_bytes
        self.set_aside = held.set_aside
        return opened

    def _fail(self, error: Exception) -> None:
        if not self._failing:  # an outage repeats it every second
            log.error("spool_failed", path=str(self.path), error=str(error))
        self._failing = True
        self._dependency.failed(str(error))
        opened, self._file = self._file, None
        if opened is not None:
            with suppress(sqlite3.Error):
                opened.close()

    def _resolve(self, group: list[Pending], outcome: "Whereabouts | NotAcknowledged") -> None:
        if group is self._given_up:
            self._given_up = None
            return
        self.unwritten -= len(group)
        for pending in group:
            pending.end(outcome)
