"""The sink's second thread: it reads the dead-letter topic as a member of a group of its own.

One thread does everything in turn, as dead letters are few: place, read, write, commit. What goes wrong is
tried again from where the table stands, and the loop beside it, which writes events, hears nothing of it.
"""

from collections.abc import Mapping
from dataclasses import replace
from random import uniform
from threading import Event, Thread
from typing import Any, Final

import structlog

from config import metrics
from config.clock import Clock
from config.errors import Unavailable
from consumers.consumer import Consumer, Partitions
from consumers.fates import Fenced
from consumers.positions import Position, Positions, Row
from consumers.project import Letters, Project, letters_of

log = structlog.get_logger()

_MOST_LETTERS: Final = 100
"""Read and written at once; each has 5 MiB at most."""
_POLL_S: Final = 0.5
_AGAIN_S: Final = 5.0
_PURGE_EVERY_S: Final = 600.0
_LEAVE_S: Final = 2.0


class Projection:
    """Owns the thread.

    Args:
        options: librdkafka's settings of its consumer.
        topic: The dead-letter topic.
        positions: Where its partitions go on.
        project: The transaction.
        count_every_s: Seconds between counts of open ones.
        clock: For these periods.
        stop: Ends it; it sets this itself when it has failed for good, so that the process ends.
    """

    def __init__(
        self,
        options: Mapping[str, Any],
        topic: str,
        *,
        positions: Positions,
        project: Project,
        count_every_s: float,
        clock: Clock,
        stop: Event,
    ) -> None:
        self._options, self._topic, self._read_positions = options, topic, positions
        self._project, self._clock, self._stop = project, clock, stop
        self._count_every_s = count_every_s
        self._count_at_s = self._purge_at_s = clock.monotonic_s()
        self._positions: dict[int, Position] = {}
        self._error: BaseException | None = None
        self._thread = Thread(target=self._run, name="projection", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def join(self, timeout_s: float) -> None:
        """Wait so long for its end, when `stop` is set and it was started."""
        if self._thread.is_alive():
            self._thread.join(timeout_s)

    def check(self) -> None:
        """Raise what ended it, if that was a failure."""
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            consumer = Consumer(
                self._options, self._topic, before_revoke=self._forget, after_loss=self._forget
            )
            try:
                while not self._stop.is_set():
                    self._turn(consumer)
            finally:
                consumer.close(_LEAVE_S)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the process must hear of it
            self._error = error
            self._stop.set()

    def _turn(self, consumer: Consumer) -> None:
        try:
            self._place(consumer)
            records = consumer.read(_MOST_LETTERS, _POLL_S)
            if records:
                self._write(consumer, letters_of(records, self._topic, self._positions))
            self._look_after()
        except (Unavailable, Fenced) as cause:
            log.warning("projection_failed", cause=str(cause))
            consumer.unplace()
            self._positions.clear()
            self._wait(consumer)

    def _place(self, consumer: Consumer) -> None:
        if consumer.unplaced:
            positions = self._read_positions.read(sorted(consumer.unplaced), probe=False)
            self._positions.update(positions)
            consumer.place({partition: at.begin for partition, at in positions.items()})

    def _write(self, consumer: Consumer, read: Letters) -> None:
        self._project(read, self._positions)
        for partition, span in read.spans.items():
            before = self._positions[partition]
            row = Row(before.topic_id, span.end)
            self._positions[partition] = replace(before, row=row, begin=span.end, restart=False)
        consumer.commit({partition: span.end for partition, span in read.spans.items()})
        self._count_at_s = min(self._count_at_s, self._clock.monotonic_s() + 1)

    def _look_after(self) -> None:
        """Now and then: count the open ones, and remove what has ended long ago."""
        now_s = self._clock.monotonic_s()
        if now_s >= self._count_at_s:
            self._check()
            metrics.DEAD_LETTERS_OPEN.set(self._project.open())
            self._count_at_s = now_s + self._count_every_s
        if now_s >= self._purge_at_s and not self._project.purge():
            self._purge_at_s = now_s + _PURGE_EVERY_S  # else there may be more

    def _check(self) -> None:
        """No record may tell of a recreated topic, nor of a table that a backup put back."""
        if self._positions:
            topic_id = self._read_positions.topic_id()
            if any(position.topic_id != topic_id for position in self._positions.values()):
                raise Fenced("the dead-letter topic was recreated")
            if not self._read_positions.stand(self._positions):
                raise Fenced("the table is not where this member left it")

    def _wait(self, consumer: Consumer) -> None:
        """Poll on, so that the membership stays, until it may be tried again."""
        until_s = self._clock.monotonic_s() + _AGAIN_S * uniform(0.2, 1)  # noqa: S311
        while not self._stop.is_set() and self._clock.monotonic_s() < until_s:
            consumer.read(1, 0.1)

    def _forget(self, partitions: Partitions) -> None:
        for partition in partitions:
            self._positions.pop(partition, None)
