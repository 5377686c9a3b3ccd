"""The writing thread: everything that waits for Postgres happens here, so that the other one can poll.

It takes jobs from a queue in their order and leaves results on another. It alone knows each partition's
position; a batch that does not begin exactly there was read ahead of a failure, and is dropped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from queue import Empty, SimpleQueue
from random import uniform
from threading import Event, Thread
from time import monotonic
from typing import Final, NamedTuple

import structlog

from config import metrics
from config.clock import Clock
from config.errors import Unavailable
from consumers.ahead import Ahead
from consumers.apply import Applying
from consumers.batch import Batch
from consumers.breaker import Circuit
from consumers.fates import Fenced, PostgresUnavailable
from consumers.offsets import gaps_in
from consumers.positions import Position, Positions, Row
from consumers.write import Tally

log = structlog.get_logger()

TURN_S: Final = 0.0001
"""For `sys.setswitchinterval`: a writing thread waits for Postgres fifty times a batch, then for its turn."""
_FIRST_WAIT_S: Final = 0.1
_LONGEST_WAIT_S: Final = 5.0
_DOUBLINGS: Final = 10
"""Enough to reach the longest wait; 2 to the power of a long outage is no float any more."""


class Place(NamedTuple):
    """Job: find out where these partitions go on. After a failure this is what is tried again.

    With none it is a probe alone: a member without partitions hears of Postgres' return by nothing else.
    """

    partitions: tuple[int, ...]


class Check(NamedTuple):
    """Job: see that topic and table are still those by which these partitions were placed."""

    partitions: tuple[int, ...]


class Checked(NamedTuple):
    """Result: they are."""

    postgres: bool
    """Whether the table was asked too; while its circuit is not closed only the probe asks."""


class Placed(NamedTuple):
    """Result: where the partitions go on."""

    positions: Mapping[int, Position]


class Written(NamedTuple):
    """Result: a batch is committed; its partitions' next offsets."""

    next_offsets: Mapping[int, int]


class Committed(NamedTuple):
    """Ahead of a result: what of its batch has been committed, all of it as a rule, and when."""

    batch: Batch
    tally: Tally
    at_us: int


class Dropped(NamedTuple):
    """Result: a batch had been read ahead of something that failed; nothing was written."""


class Failed(NamedTuple):
    """Result: a job failed in a way that a repetition can mend."""

    cause: Unavailable | Fenced
    job: "Job"


class Crashed(NamedTuple):
    """Result: a bug, or data that nobody expected; the process must end."""

    error: BaseException


Job = Place | Batch | Check
Result = Placed | Committed | Written | Dropped | Failed | Crashed | Checked


class Writer:
    """Owns the writing thread; `submit` and `results` are for the polling thread."""

    def __init__(
        self, *, apply: Applying, positions: Positions, circuit: Circuit, clock: Clock, ahead: Ahead
    ) -> None:
        self._apply, self._read_positions, self._ahead = apply, positions, ahead
        self._circuit = circuit
        self._jobs: SimpleQueue[Job | None] = SimpleQueue()
        self._results: SimpleQueue[Result] = SimpleQueue()
        self._positions: dict[int, Position] = {}
        self._clock = clock
        self._failures = 0
        self._stop = Event()
        self._thread = Thread(target=self._run, name="writer", daemon=True)

    def start(self) -> None:
        """Start the thread, and that of what goes ahead of it."""
        self._ahead.start()
        self._thread.start()

    def submit(self, job: Job) -> None:
        """Queue a job; each gets exactly one result, and a batch's `Committed` come before it."""
        if isinstance(job, Batch) and self.circuit == "closed":
            self._ahead.begin(job)
        self._jobs.put(job)

    def results(self, timeout_s: float = 0.0) -> Sequence[Result]:
        """The results that are there, after waiting for a first one so long at the most."""
        found: list[Result] = []
        try:
            found.append(self._results.get(timeout=timeout_s) if timeout_s else self._results.get_nowait())
            while True:
                found.append(self._results.get_nowait())
        except Empty:
            return found

    @property
    def circuit(self) -> str:
        """The state of the circuit around Postgres: closed, half-open or open."""
        return self._circuit.state

    def stop(self, timeout_s: float) -> bool:
        """End the thread after the job that it is at; False when that takes longer."""
        self._stop.set()
        self._jobs.put(None)
        self._ahead.end()
        ends_s = monotonic() + timeout_s
        self._thread.join(timeout_s)
        self._ahead.join(max(0.0, ends_s - monotonic()))
        return not self._thread.is_alive()

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            self._results.put(self._result_of(job))

    def _result_of(self, job: Job) -> Result:
        try:
            match job:
                case Place():
                    return self._place(job)
                case Check():
                    return self._check(job)
                case Batch():
                    try:
                        return self._write_batch(job)
                    finally:
                        self._ahead.drop(job)
        except (Unavailable, Fenced) as cause:
            self._failures += 1
            self._ahead.drop_all()
            return Failed(cause, job)
        except BaseException as error:  # noqa: BLE001 - whatever it is, the polling thread must hear of it
            if isinstance(job, Batch):
                spans = {partition: [span.begin, span.end - 1] for partition, span in job.spans.items()}
                log.error("batch_stops_the_sink", first_and_last_offsets=spans)  # noqa: TRY400 - told by the other
            return Crashed(error)

    def _place(self, job: Place) -> Placed:
        """Read table and log; with the circuit open this waits for its period and is its one probe."""
        wait_s = self._circuit.wait_s()
        if not wait_s and self._failures:
            longest_s = min(_LONGEST_WAIT_S, _FIRST_WAIT_S * 2 ** min(self._failures, _DOUBLINGS))
            wait_s = longest_s * uniform(0.5, 1)  # noqa: S311
        if self._stop.wait(wait_s):
            raise Unavailable("stopping")
        if self._circuit.state != "closed":
            probe = partial(self._read_positions.read, job.partitions, probe=True)
            positions = self._circuit.call(probe)
        else:
            # Reading well does not mean that writing goes well: only a failure is told to the circuit.
            try:
                positions = self._read_positions.read(job.partitions, probe=False)
            except PostgresUnavailable:
                self._circuit.failed()
                raise
        self._positions.update(positions)
        return Placed(positions)

    def _check(self, job: Check) -> Checked:
        """Ask for what no record tells: a recreated topic's id, and a table that a backup put back."""
        topic_id = self._read_positions.topic_id()
        if any(position.topic_id != topic_id for position in self._positions.values()):
            self._positions.clear()
            raise Fenced("the topic was recreated")
        if self._circuit.state != "closed":
            return Checked(postgres=False)
        placed = {p: self._positions[p] for p in job.partitions if p in self._positions}
        try:
            stands = self._read_positions.stand(placed)
        except PostgresUnavailable:
            self._circuit.failed()
            raise
        if not stands:
            raise Fenced("the table is not where this member left it")
        return Checked(postgres=True)

    def _write_batch(self, batch: Batch) -> Written | Dropped:
        if self._circuit.wait_s():
            return Dropped()  # it waited behind the one that failed: it would be a probe before its time
        if any(not self._continues(partition, span.begin) for partition, span in batch.spans.items()):
            return Dropped()
        self._circuit.call(partial(self._apply, batch, self._positions, self._settle))
        self._failures = 0
        return Written({partition: span.end for partition, span in batch.spans.items()})

    def _continues(self, partition: int, begin: int) -> bool:
        position = self._positions.get(partition)
        return position is not None and position.begin == begin

    def _settle(self, batch: Batch, tally: Tally) -> None:
        """After COMMIT: move the positions on, and have it counted where no batch waits for that."""
        now_us = self._clock.now_us()
        for partition, span in batch.spans.items():
            before = self._positions[partition]
            metrics.SINK_GAPS.inc(gaps_in(span, before))
            row = Row(before.topic_id, span.end)
            self._positions[partition] = replace(before, row=row, begin=span.end, restart=False)
        self._results.put(Committed(batch, tally, now_us))
