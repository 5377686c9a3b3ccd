"""When the relay turns to the spool, and when it comes back; see docs/decisions/0011.

It turns when a delivery has waited `RELAY__SPOOL_AFTER_S` for Kafka, or librdkafka gives one up or takes no
more. All that waits then is withdrawn and spooled in order of arrival, and every later delivery behind it.

It comes back once all that was spooled is acknowledged, quickly, and the relay's own producer reaches a
broker. Under load something always comes behind, so when little is left new deliveries are held for an
instant, neither spooled nor published, until the drain has caught up; then they go to Kafka in order.
"""

import asyncio
from collections.abc import Callable, Sequence
from threading import Event
from typing import Final, Self

import structlog

from config import metrics
from config.clock import Clock
from config.health import Dependency
from config.settings import Settings
from producers.delivery import NotAcknowledged, Refusal, TooLarge, Whereabouts
from producers.kafka_errors import SHUT_TO_DEAD_LETTERS
from producers.options import MAX_MESSAGE_BYTES
from producers.publish import SILENT_DEADLINES, Pending, Publisher, Record
from producers.spool.drain import Drain
from producers.spool.file import size_bytes
from producers.spool.leftovers import warn_of_leftovers
from producers.spool.ordered import OrderedPublisher
from producers.spool.place import Place
from producers.spool.writer import SpoolWriter

log = structlog.get_logger()

_HELD_S: Final = 0.25
"""For so long at most deliveries are held; a Kafka that stumbles just then costs them no more."""
_LEAST_END_S: Final = 0.5
_LOOK_S: Final = 1.0
_DISK_S: Final = 8.0
"""For so long deliveries wait for the disk; with the wait for Kafka as long as without a spool."""
_HAND_OVER_EVENTS: Final = 1_000
"""So few that draining them takes less."""
_MICROSECONDS: Final = 1_000_000


class Failover:
    """Brings deliveries to safety: to Kafka, or else to the spool; one event loop's.

    Args:
        publisher: The direct way.
        after_s: Seconds for Kafka to acknowledge.
        clock: For the age of what is spooled.
    """

    def __init__(self, publisher: Publisher, *, after_s: float, clock: Clock) -> None:
        self._publisher, self._after_s, self._clock = publisher, after_s, clock
        self._loop = asyncio.get_running_loop()
        self._take: Callable[[Pending], None] = self._direct
        self._writer: SpoolWriter
        self._drain: Drain
        self._held: list[Pending] = []
        self._held_until: asyncio.TimerHandle | None = None
        self._look: asyncio.TimerHandle
        publisher.on_trouble = self._on_trouble

    @classmethod
    def opened(cls, settings: Settings, publisher: Publisher, dependency: Dependency, clock: Clock) -> Self:
        """Take a file, and begin behind what it holds.

        Raises:
            SettingsError: `RELAY__SPOOL_DIR` can't be used.
        """
        relay, stop = settings.relay, Event()
        failover = cls(publisher, after_s=relay.spool_after_s, clock=clock)
        place = Place.first_free(relay.spool_dir.absolute())
        warn_of_leftovers(place.path.parent, own=place.path)
        writer = SpoolWriter(
            place,
            max_bytes=relay.spool_max_bytes,
            dependency=dependency,
            clock=clock,
            on_rows=failover.on_rows,
        )
        drain = Drain(
            writer,
            OrderedPublisher(settings.kafka, stop),
            reaches_kafka=lambda within_s: publisher.reaches(settings.kafka.events_topic, within_s),
            quick_s=relay.spool_after_s / 2,
            silent_s=SILENT_DEADLINES * relay.deadline_s,
            on_progress=failover.on_progress,
            stop=stop,
        )
        failover.start(writer, drain)
        return failover

    def start(self, writer: SpoolWriter, drain: Drain) -> None:
        """Begin; behind what the file holds, if it holds something."""
        self._writer, self._drain = writer, drain
        writer.start()
        if writer.events:
            self._turn("left_from_before")
        drain.start()
        self._look_at_disk()

    async def publish(self, records: Sequence[Record]) -> Whereabouts:
        """Return when all records are safe, and where.

        Raises:
            NotAcknowledged: Neither Kafka nor the spool takes them.
            TooLarge: Kafka takes no record of this size.
        """
        pending = Pending(self._loop.create_future(), records, self._loop.time() + self._after_s)
        self._take(pending)
        if isinstance(outcome := await pending.future, Refusal):
            raise outcome
        return outcome

    def give_up(self) -> None:
        """Spool what still waits for Kafka: the process is going away."""
        self._turn("shutting_down")
        self._release(self._spool)

    def close(self, timeout_s: float) -> int:
        """End it all; what is not drained stays for the next process.

        Returns:
            How many records were left behind in no safe place; none of them was acknowledged.
        """
        self._look.cancel()
        each_s = max(_LEAST_END_S, timeout_s / 2)
        self._drain.close(each_s)
        self._writer.close(each_s)
        self._publisher.close(0)
        return self._writer.unwritten

    def on_rows(self) -> None:
        """Hear from the writer that there are rows to drain."""
        self._drain.wake()
        if self._take == self._direct:  # found in a file that could not be opened before
            self._loop.call_soon_threadsafe(self._turn, "left_from_before")

    def on_progress(self, well: bool) -> None:  # noqa: FBT001 - a callback's only word
        """Hear from the drain, in its thread."""
        self._loop.call_soon_threadsafe(self._consider, well)

    def sample(self) -> None:
        """Set the gauges; safe in any thread."""
        self._publisher.sample()
        oldest_us = self._drain.oldest_us
        metrics.SPOOL_EVENTS.set(self._writer.events)
        metrics.SPOOL_BYTES.set(self._writer.size_bytes)
        metrics.SPOOL_ROOM.set(self._writer.room_bytes())
        metrics.SPOOL_SET_ASIDE.set(self._writer.set_aside)
        age_us = 0 if oldest_us is None else self._clock.now_us() - oldest_us
        metrics.SPOOL_OLDEST.set(age_us / _MICROSECONDS)

    def _look_at_disk(self) -> None:
        self._writer.refuse_late(_DISK_S)
        self._look = self._loop.call_later(_LOOK_S, self._look_at_disk)

    def _direct(self, pending: Pending) -> None:
        try:
            self._publisher.begin(pending)
        except NotAcknowledged as refusal:
            if refusal.reason == SHUT_TO_DEAD_LETTERS:
                raise
            self._turn(refusal.reason)
            self._spool(pending)

    def _spool(self, pending: Pending) -> None:
        if any(size_bytes(record) > MAX_MESSAGE_BYTES for record in pending.records):
            pending.end(TooLarge())
        else:
            self._writer.append(pending)

    def _hold(self, pending: Pending) -> None:
        self._held.append(pending)

    def _on_trouble(self, reason: str) -> None:
        if self._take == self._direct:
            self._loop.call_soon(self._turn, reason)

    def _turn(self, reason: str) -> None:
        if self._take != self._direct:
            return
        self._take = self._spool
        waiting = self._publisher.withdraw()
        log.warning("relay_turned_to_spool", reason=reason, deliveries=len(waiting))
        for pending in waiting:
            self._spool(pending)
        self._drain.watch(watched=True)

    def _consider(self, well: bool) -> None:  # noqa: FBT001 - a callback's only word
        """Come back if all is drained; hold what comes if it nearly is."""
        left = self._writer.last_id - self._drain.through
        if not well or self._take == self._direct:
            return
        if self._writer.unwritten == 0 and left <= 0:
            log.info("relay_back_to_kafka", held=len(self._held))
            self._drain.watch(watched=False)
            self._writer.tidy()
            self._release(self._direct)
        elif self._take == self._spool and left + self._writer.unwritten <= _HAND_OVER_EVENTS:
            self._take = self._hold
            self._held_until = self._loop.call_later(_HELD_S, self._release, self._spool)

    def _release(self, take: Callable[[Pending], None]) -> None:
        """From now on deliveries go this way, those that were held first."""
        if self._held_until is not None:
            self._held_until.cancel()
            self._held_until = None
        self._take = take
        held, self._held = self._held, []
        now_s = self._loop.time()
        for pending in held:
            pending.deadline_s = now_s + self._after_s
            try:
                self._take(pending)  # each anew: the first may turn it
            except Refusal as refusal:
                pending.end(refusal)
