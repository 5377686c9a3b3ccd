"""The sink's loop: poll, decode, hand to the writing thread, commit. A record's whole way is here.

Nothing is committed before it is safe, and a crash at any line costs a repetition, never a record:
what can't be decoded is parked before its offset moves, rows and offsets move in one transaction, and
Kafka's own commit comes last and decides nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from math import inf
from threading import Event
from time import perf_counter
from typing import Final, assert_never

import structlog

from config import metrics
from config.clock import Clock
from config.errors import RegistryUnavailable
from config.health import Health
from config.sections import SinkSettings
from consumers.ages import Ages
from consumers.batch import Batch
from consumers.consumer import Consumer, Partitions
from consumers.decoding import Decoder, made_us
from consumers.fates import Fenced, PostgresUnavailable
from consumers.oldest import Oldest
from consumers.outcome import Outcome
from consumers.positions import Position
from consumers.write import Tally
from consumers.writer import (
    Check,
    Checked,
    Committed,
    Crashed,
    Dropped,
    Failed,
    Job,
    Place,
    Placed,
    Result,
    Writer,
    Written,
)
from schemas.event import MICROSECONDS
from schemas.reader import Read as ReadBody

log = structlog.get_logger()

_CHUNK: Final = 500
"""Records per poll: small enough to look at size, time and results between polls."""
_FIRST_ROWS: Final = 2_000
"""Enough for the first batch after a start: Postgres has nothing else to do."""
_BATCHES_AHEAD: Final = 2
"""One being written, one decoded and waiting."""
_STALL_S: Final = 10.0
"""So long a full batch may wait for its turn before partitions are paused and polling goes on."""
_REGISTRY_REST_S: Final = 1.0
_DRAIN_S: Final = 5.0


class Pipeline:
    """The state of the loop: a batch that grows, batches under way, and what the results say."""

    def __init__(
        self,
        writer: Writer,
        settings: SinkSettings,
        health: Health,
        clock: Clock,
        foreign: Callable[[int], ReadBody] | None = None,
        patience_s: float = inf,
    ) -> None:
        self._writer, self._settings, self._clock = writer, settings, clock
        self._health = health
        self._postgres = health.dependency(
            "postgres", needed=False, circuit=lambda: writer.circuit, patience_s=patience_s
        )
        self._batch = Batch()
        self._decoder = Decoder(foreign)
        self._under_way = 0
        self._placing = False
        self._drain_s = _DRAIN_S
        self._check_at_s = clock.monotonic_s() + settings.topic_check_s
        self._oldest, self._ages = Oldest(clock), Ages()
        self.committed: dict[int, int] = {}
        """Next offset by partition, as the table holds it."""
        self._written: set[int] = set()
        """Partitions of which this member has written something since they were placed."""

    def run(self, consumer: Consumer, stop: Event) -> None:
        """Move batches until `stop` is set."""
        while not stop.is_set():
            self._health.beat()
            self._handle(self._writer.results(), consumer)
            self._ask_for_places(consumer)
            self._check_now_and_then(consumer)
            if self._is_full():
                self._make_room(consumer, stop)
            elif self._is_enough(self._fill(consumer)):
                self._send()

    def finish(self, consumer: Consumer, within_s: float) -> None:
        """Drain everything; to be followed by `give_up`."""
        self._drain_s = within_s
        self.drain(consumer, consumer.assigned)

    def give_up(self) -> None:
        """Let leaving the group wait for nothing: a writer that was told to stop leaves jobs undone."""
        self._drain_s = 0.0

    def drain(self, consumer: Consumer, partitions: Partitions) -> None:
        """Before these partitions go: drop what is not on its way, wait for what is, commit."""
        self._batch = self._batch.without(partitions)
        deadline_s = self._clock.monotonic_s() + self._drain_s
        while self._under_way and (left_s := deadline_s - self._clock.monotonic_s()) > 0:
            self._handle(self._writer.results(min(left_s, 0.1)), consumer)
        if self._under_way and self._drain_s:
            log.warning("partitions_undrained", partitions=sorted(partitions), batches=self._under_way)
        # A place alone is nobody's news: Kafka may know a later one, from before a backup was put back.
        written = partitions & self._written
        consumer.commit({p: offset for p, offset in self.committed.items() if p in written})
        self.forget(partitions)

    def forget(self, partitions: Partitions) -> None:
        """Drop what was read of these partitions and is not on its way."""
        self._batch = self._batch.without(partitions)
        self._oldest.forget(partitions, is_empty=not self._batch.spans)
        for partition in partitions:
            self.committed.pop(partition, None)
        self._written -= partitions

    def sample(self) -> None:
        """Set the gauges that are this loop's; for the sidecar's thread."""
        metrics.SINK_OLDEST_UNWRITTEN.set(self._oldest.age_s())

    def _fill(self, consumer: Consumer) -> int:
        """Poll once and decode; returns how many records came."""
        room = min(_CHUNK, self._settings.batch_rows - self._batch.rows)
        records = consumer.read(room, self._settings.batch_ms / 1000)
        if records:
            begun = perf_counter()
            try:
                reads = self._decoder.add(self._batch, records)
            except RegistryUnavailable as cause:
                self._oldest.read(made_us(records))
                self._wait_for_registry(consumer, cause)
                return 0
            received_us = [read.received_us for read in reads]
            self._oldest.read(received_us)
            now_us = self._clock.now_us()
            ages_s = [(now_us - time_us) / MICROSECONDS for time_us in received_us]
            metrics.EVENT_AGE.labels("read").observe(ages_s)
            metrics.SINK_BATCH.labels(stage="decode").observe(perf_counter() - begun)
        return len(records)

    def _wait_for_registry(self, consumer: Consumer, cause: RegistryUnavailable) -> None:
        """Pause for a moment, staying in the group, and read the same records again."""
        log.warning("registry_away", problem=str(cause))
        rested_s = self._clock.monotonic_s() + _REGISTRY_REST_S
        while self._clock.monotonic_s() < rested_s:
            self._health.beat()
            self._handle(self._writer.results(), consumer)
            consumer.hold(0.1)
        self._start_over(consumer)

    def _is_full(self) -> bool:
        rows, size_bytes = self._settings.batch_rows, self._settings.batch_bytes
        return self._batch.rows >= rows or self._batch.size_bytes >= size_bytes

    def _is_enough(self, came: int) -> bool:
        """Whether the batch may go though it is not full, as nothing is being written."""
        if self._under_way or not self._batch.rows:
            return False
        return came < _CHUNK or (not self._written and self._batch.rows >= _FIRST_ROWS)

    def _make_room(self, consumer: Consumer, stop: Event) -> None:
        """Send the full batch as soon as there is room; if that takes long, keep the membership alive."""
        held = False
        stalled_s = self._clock.monotonic_s() + _STALL_S
        while self._under_way >= _BATCHES_AHEAD and self._is_full() and not stop.is_set():
            self._health.beat()
            self._handle(self._writer.results(0.1), consumer)
            if self._clock.monotonic_s() > stalled_s:
                if not held:
                    log.warning("polling_goes_on", because="the batch before is not written yet")
                held = True
                consumer.hold(0.1)
        if self._is_full():
            self._send()
        if held:
            consumer.go_on()

    def _send(self) -> None:
        self._oldest.sent(_ends(self._batch))
        self._postgres.asked()
        self._writer.submit(self._batch)
        self._under_way += 1
        self._batch = Batch()

    def _ask_for_places(self, consumer: Consumer) -> None:
        unplaced = consumer.unplaced
        if (unplaced or self._writer.circuit != "closed") and not self._placing:
            self._placing = True
            self._postgres.asked()
            self._writer.submit(Place(tuple(sorted(unplaced))))

    def _check_now_and_then(self, consumer: Consumer) -> None:
        if self._clock.monotonic_s() >= self._check_at_s:
            self._check_at_s = self._clock.monotonic_s() + self._settings.topic_check_s
            self._writer.submit(Check(tuple(consumer.next)))

    def _handle(self, results: Sequence[Result], consumer: Consumer) -> None:
        for result in results:
            self._postgres.answered()
            self._take(result, consumer)
        if results and (self._under_way or self._placing):
            self._postgres.asked()

    def _take(self, result: Result, consumer: Consumer) -> None:
        match result:
            case Placed(positions):
                self._postgres.succeeded()
                self._on_placed(consumer, positions)
            case Committed(batch, tally, at_us):
                self._ages.observe(batch, at_us)
                _count(tally)  # last: who sees records counted finds their ages counted too
            case Written(next_offsets):
                self._under_way -= 1
                self._oldest.written(next_offsets)
                self._postgres.succeeded()
                self._note(consumer, next_offsets)
                self._written |= consumer.assigned & next_offsets.keys()
                consumer.commit(next_offsets)
            case Dropped():
                self._under_way -= 1
                self._oldest.failed()
                self._start_over(consumer)
            case Failed(cause, job):
                self._on_failure(consumer, cause, job)
            case Checked(asked):
                if asked:
                    self._postgres.succeeded()
            case Crashed(error):
                raise error
            case _:
                assert_never(result)

    def _on_placed(self, consumer: Consumer, positions: Mapping[int, Position]) -> None:
        """Read on where the partitions go on; how old their events are counts from where they had come to."""
        self._placing = False
        begins = {partition: at.begin for partition, at in positions.items()}
        self._decoder.place(positions)
        consumer.place(begins)
        self._oldest.forget([p for p, at in positions.items() if at.restart], is_empty=False)
        self._oldest.settled(begins)
        self._ages.forget(positions)
        self._ages.know(consumer.committed_before([p for p, at in positions.items() if not at.is_recreated]))
        self._note(consumer, begins)

    def _on_failure(self, consumer: Consumer, cause: Exception, job: Job) -> None:
        """Try again: a failed placing is asked for again, anything else starts over."""
        log.warning("job_failed", job=type(job).__name__.lower(), cause=str(cause))
        if isinstance(cause, PostgresUnavailable):
            self._postgres.failed(str(cause))
        match job:
            case Place():
                self._placing = False
            case Batch():
                self._under_way -= 1
                self._oldest.failed()
                self._start_over(consumer)
            case Check():
                if isinstance(cause, Fenced):
                    self._start_over(consumer)

    def _start_over(self, consumer: Consumer) -> None:
        """Pause all and ask the table where to go on: it alone knows what a lost COMMIT did.

        Also after a batch that did not continue where the table stands: reading on would end the same way.
        """
        self._oldest.rewound(_ends(self._batch))
        self._batch = Batch()
        self._written.clear()
        consumer.unplace()

    def _note(self, consumer: Consumer, next_offsets: Mapping[int, int]) -> None:
        """Keep what the table holds, of the partitions that are still this member's."""
        ours = consumer.assigned
        self.committed.update({p: offset for p, offset in next_offsets.items() if p in ours})


def _count(tally: Tally) -> None:
    for outcome in Outcome:
        count = sum(counts[outcome] for counts in tally.values())
        metrics.SINK_RECORDS.labels(outcome=outcome.value).inc(count)


def _ends(batch: Batch) -> Mapping[int, int]:
    return {partition: span.end for partition, span in batch.spans.items()}
