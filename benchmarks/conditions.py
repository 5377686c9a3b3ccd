"""The sink under other conditions than an empty table, one process and new sessions: what each costs."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from itertools import count as numbers
from statistics import median, quantiles
from typing import Any, Final

import psycopg
from confluent_kafka import Producer
from rich.console import Console
from rich.progress import Progress

from benchmarks import limit
from benchmarks.filling import fill
from benchmarks.rounds import Figures, Steps, take_turns
from benchmarks.shapes import narrow
from benchmarks.sink import WHOLE, Stored, applied_by_now, run_sink
from benchmarks.stand import Place, Stand
from config.errors import RelayError
from config.kafka import client_options
from producers.pipeline import to_record
from schemas.event import SessionEvent
from schemas.headers import continue_trace

_REPEATED: Final = 10
"""One event in so many comes twice."""
_BATCHES: Final = (1_000, 10_000)
_STAGES: Final = ("decode", "copy", "apply", "commit")
_A_SECOND: Final = 100
_ACKNOWLEDGED_S: Final = 30.0
_groups = numbers(1)
_KEEP_OLDER: Final = """
    CREATE TABLE older AS SELECT * FROM sessions WHERE kafka_offset % 2 = 0;
    UPDATE older SET sequence = sequence - 1, event_id = gen_random_uuid();
    UPDATE older SET applied_event_ids = ARRAY[event_id]
"""
_PUT_OLDER: Final = "INSERT INTO sessions SELECT * FROM older"
_GROW: Final = """
    INSERT INTO sessions (
        tenant, source, session_id, user_id, event_id, type, sequence, occurred_at, received_at, normaliser,
        epoch_seconds, attributes, kafka_topic_id, kafka_partition, kafka_offset, applied_event_ids
    )
    SELECT 'default', 'asleep', '2025' || lpad((n * 7919 %% 100000007)::text, 12, '0'),
           'G-2025-' || n %% 100000, md5(n::text)::uuid, 'INFERENCE_COMPLETE', n %% 60, 'epoch', 'epoch', 1,
           30, '{}', md5('')::uuid, n %% 12, n, ARRAY[md5(n::text)::uuid]
    FROM generate_series(%(first)s::bigint, %(last)s::bigint) AS n
"""
_GROWN_AT_ONCE: Final = 250_000


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """Two filled topics: sessions that come once, and one in ten that comes twice; and their tables."""

    stand: Stand
    once: Place
    repeated: Place
    count: int

    def one(self, **settings: str) -> Figures:
        """One process, new sessions, an empty table: what the others are held against."""
        limit.empty(self.once.database_url)
        return self._run(self.once, 1, WHOLE, **settings)

    def two(self) -> Figures:
        """Two processes in one group."""
        limit.empty(self.once.database_url)
        return self._run(self.once, 2, WHOLE)

    def updates(self) -> Figures:
        """Every second session has a row already, which an older event left."""
        limit.empty(self.once.database_url)
        with psycopg.connect(self.once.database_url, autocommit=True) as connection:
            connection.execute(_PUT_OLDER)
            connection.execute("CHECKPOINT")
        return self._run(self.once, 1, WHOLE)

    def repeats(self) -> Figures:
        """One event in ten comes twice."""
        limit.empty(self.repeated.database_url)
        return self._run(self.repeated, 1, Stored(1 - 1 / (_REPEATED + 1)))

    def large(self, rows: int) -> Figures:
        """The table holds so many other rows already."""
        return self._run(self.once, 1, Stored(1.0, before=rows))

    def keep_older(self) -> None:
        """Keep an older row for every second session, from a table that the sink has filled."""
        with psycopg.connect(self.once.database_url, autocommit=True) as connection:
            connection.execute(_KEEP_OLDER)

    def _run(self, place: Place, processes: int, stored: Stored, **settings: str) -> Figures:
        group = f"bench-conditions-{next(_groups)}"
        run = run_sink(
            self.stand, place, self.count, group, processes=processes, stored=stored, settings=settings
        )
        each = {"cpu_s": run.cpu_s} | {f"{stage}_s": run.stages_s.get(stage, 0.0) for stage in _STAGES}
        return run.figures() | {
            f"{name}_per_100k": value / run.rows * 100_000 for name, value in each.items()
        }


def measure_conditions(
    stand: Stand, console: Console, *, rounds: int, count: int, table_rows: int, seconds: int
) -> dict[str, Any]:
    """Measure the sink under each condition, in turn.

    Args:
        stand: Where.
        console: Told of progress.
        rounds: How often; the large table and the latency are measured once.
        count: Events of a topic; rounded down to a multiple of 11.
        table_rows: Rows of the large table.
        seconds: How long 100 events a second are sent for the latency.

    Raises:
        RelayError: A table does not hold what it should.
    """
    count -= count % (_REPEATED + 1)
    with Progress(console=console, transient=True) as progress:
        places = []
        for name, events in (("once", narrow()), ("repeated", _with_repeats(narrow()))):
            place = stand.place(name)
            limit.prepare(place.database_url)
            task = progress.add_task(f"filling the topic: {count:,} of {name}", total=count)
            fill(place.kafka, events, count, partial(_completed, progress, task))
            places.append(place)
    ground = Conditions(stand=stand, once=places[0], repeated=places[1], count=count)
    ground.one()  # warms the broker up too
    ground.keep_older()
    steps: Steps = {
        "one": ground.one,
        "two_processes": ground.two,
        "half_updates": ground.updates,
        "tenth_repeated": ground.repeats,
        **{f"batch_{rows}": partial(ground.one, SINK__BATCH_ROWS=str(rows)) for rows in _BATCHES},
    }
    told = take_turns(steps, rounds, partial(console.print, highlight=False))
    result: dict[str, Any] = {
        name: {figure: series.told(2 if series.median < 100 else 0) for figure, series in figures.items()}
        for name, figures in told.items()
    }
    limit.empty(ground.once.database_url)
    with Progress(console=console, transient=True) as progress:
        grow(ground.once, table_rows, progress)
    large = ground.large(table_rows)
    console.print(f"a table of {table_rows:,}: {large['rate']:,.0f} a second", highlight=False)
    result["large_table"] = {
        "rows_before": table_rows,
        **{name: round(value, 2) for name, value in large.items()},
    }
    result["latency"] = latency(stand, seconds)
    return {"events": count, **result}


def grow(place: Place, rows: int, progress: Progress) -> None:
    """Put so many rows of other sessions into the table."""
    task = progress.add_task(f"growing the table: {rows:,}", total=rows)
    with psycopg.connect(place.database_url, autocommit=True) as connection:
        for first in range(0, rows, _GROWN_AT_ONCE):
            last = min(rows, first + _GROWN_AT_ONCE) - 1
            connection.execute(_GROW, {"first": first, "last": last})
            progress.update(task, completed=last + 1)
        connection.execute("CHECKPOINT")


def latency(stand: Stand, seconds: int) -> dict[str, float]:
    """From Kafka's acknowledgement to COMMIT at 100 events a second, of one user, so that they are in order.

    Raises:
        RelayError: Kafka did not acknowledge, or the sink did not write.
    """
    place, total = stand.place("latency"), seconds * _A_SECOND
    producer = Producer(client_options(place.kafka, **{"acks": "all", "linger.ms": 0}))
    acknowledged_s: list[float] = []
    committed_s: list[float] = []
    with ExitStack() as stack:
        connection = stack.enter_context(psycopg.connect(place.database_url, autocommit=True))
        role = stack.enter_context(stand.role("sink", place, SINK__GROUP_ID="bench-latency"))
        role.wait_ready()
        events = (_of_one_user(event, number) for number, event in enumerate(narrow()))
        begun_s, sent = time.perf_counter() + 1, 0
        while len(committed_s) < total:
            now_s = time.perf_counter()
            if sent < total and now_s >= begun_s + sent / _A_SECOND:
                topic, key, value, headers = to_record(
                    next(events), continue_trace(None), place.kafka.events_topic
                )
                producer.produce(
                    topic,
                    value,
                    key,
                    headers=list(headers),
                    on_delivery=lambda *_: acknowledged_s.append(time.perf_counter()),
                )
                sent += 1
            producer.poll(0)
            done = applied_by_now(connection)
            committed_s += [time.perf_counter()] * (done - len(committed_s))
            role.check()
            if now_s > begun_s + seconds + _ACKNOWLEDGED_S:
                raise RelayError(f"{len(acknowledged_s)} of {total} events acknowledged, {done} committed.")
    taken_ms = [1_000 * max(0.0, end - begin) for begin, end in zip(acknowledged_s, committed_s, strict=True)]
    return {"p50_ms": round(median(taken_ms), 1), "p99_ms": round(quantiles(taken_ms, n=100)[98], 1)}


def _of_one_user(event: SessionEvent, number: int) -> SessionEvent:
    return SessionEvent(
        event_id=event.event_id,
        source=event.source,
        tenant=event.tenant,
        type=event.type,
        user_id="G-1",
        session_id=f"s-{number}",
        received_at=event.received_at,
        normaliser=event.normaliser,
    )


def _with_repeats(events: Iterator[SessionEvent]) -> Iterator[SessionEvent]:
    for number, event in enumerate(events, 1):
        yield event
        if number % _REPEATED == 0:
            yield event


def _completed(progress: Progress, task: Any, done: int) -> None:
    progress.update(task, completed=done)
