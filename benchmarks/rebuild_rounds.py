"""Reading the log again: a rebuild in turn with the sink on the same topic, a copy with a bare loop."""

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import partial
from itertools import count as numbers
from typing import Any, Final

import psycopg
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from rich.console import Console
from rich.progress import Progress

from benchmarks import limit
from benchmarks.figures import Series, ratio, ratio_range
from benchmarks.filling import fill, partitions_of
from benchmarks.rounds import Figures, Steps, take_turns
from benchmarks.shapes import NARROW
from benchmarks.sink import run_sink
from benchmarks.stand import Place, Stand
from config.collector import calm_collector
from config.errors import RelayError
from config.kafka import client_options
from consumers.replay.copying import Copying
from consumers.replay.held import Logs
from consumers.replay.order import Order, Range
from consumers.replay.reading import Reading

_GROUP: Final = "bench-live"
_PHASE: Final = "SELECT phase FROM replays WHERE state = 'unfinished'"
_LOOK_EVERY_S: Final = 0.02
_groups = numbers(1)
_topics = numbers(1)


@dataclass(frozen=True, kw_only=True)
class Ground:
    """A filled topic; one database that sinks write to from nothing, and one whose table is rebuilt."""

    stand: Stand
    place: Place
    live: Place
    count: int

    def sink(self) -> Figures:
        """The sink, from the start of its process to the last row."""
        limit.empty(self.place.database_url)
        return run_sink(self.stand, self.place, self.count, f"bench-again-{next(_groups)}").figures()

    def rebuild(self, processes: int = 1) -> Figures:
        """A rebuild, from the start of its process until all is folded."""
        with psycopg.connect(self.live.database_url, autocommit=True) as connection:
            begun_s = time.perf_counter()
            command = self._command(
                "replay", "--rebuild", "--execute", "--json", "--processes", str(processes)
            )
            while True:
                row = connection.execute(_PHASE).fetchone()
                if row is not None and row[0] in {"comparing", "built"}:
                    break
                if command.poll() is not None:
                    raise RelayError(f"The rebuild ended with {command.returncode}.")
                time.sleep(_LOOK_EVERY_S)
            taken_s = time.perf_counter() - begun_s
            told, _ = command.communicate(timeout=300)
            if command.returncode or b'"differing": 0' not in told or b'"only_in_table": 0' not in told:
                raise RelayError("The rebuilt table is not the live one.")
            number = connection.execute("SELECT max(id) FROM replays").fetchone()
            cancel = self._command("replays", "cancel", str(number[0] if number else 0), "--execute")
            if cancel.wait(60):
                raise RelayError("The rebuilt table was not removed.")
            connection.execute("CHECKPOINT")
        return {"rate": self.count / taken_s}

    def copy(self) -> Figures:
        """A replay to a topic, without the start of its process."""
        target = self._topic()
        logs = Logs(self.place.kafka)
        begun_s = time.perf_counter()
        held = logs.held(self.place.kafka.events_topic)
        ranges = {number: Range(first, held.end[number]) for number, first in held.first.items()}
        copying = Copying(self.place.kafka, Order(target=target), rate=None)
        with Reading(self.place.kafka, held.topic, ranges) as reading:
            figures = copying(reading, {}, note=lambda *_: None, told=lambda _: None)
        taken_s = time.perf_counter() - begun_s
        if figures["sent"] != self.count:
            raise RelayError(f"{figures['sent']} of {self.count} records were sent.")
        return {"rate": self.count / taken_s}

    def bare(self) -> Figures:
        """Consume and produce the same bytes, and nothing else."""
        target = self._topic()
        begun_s = time.perf_counter()
        producer = Producer(client_options(self.place.kafka, **_PRODUCING))
        consumer = Consumer(client_options(self.place.kafka, **_CONSUMING))
        consumer.assign(partitions_of(consumer, self.place.kafka))
        done = 0
        while done < self.count:
            for message in consumer.consume(10_000, 0.2):
                while True:
                    try:
                        producer.produce(target, message.value(), message.key(), headers=message.headers())
                        break
                    except BufferError:
                        producer.poll(0.1)
                done += 1
            producer.poll(0)
        left = producer.flush(60)
        taken_s = time.perf_counter() - begun_s
        consumer.close()
        if left:
            raise RelayError(f"{left} records were not sent.")
        return {"rate": self.count / taken_s}

    def _topic(self) -> str:
        """A new topic with as many partitions as the other."""
        admin = AdminClient(client_options(self.place.kafka))
        held = Logs(self.place.kafka).held(self.place.kafka.events_topic)
        name = f"bench.copy-{next(_topics)}"
        for made in admin.create_topics([NewTopic(name, len(held.end), 1)]).values():
            made.result(30)
        return name

    def _command(self, *words: str) -> subprocess.Popen[bytes]:
        environment = self.stand.addresses.environment() | {
            "DATABASE_URL": self.live.database_url,
            "KAFKA__EVENTS_TOPIC": self.live.kafka.events_topic,
            "KAFKA__DEAD_LETTERS_TOPIC": self.live.kafka.dead_letters_topic,
            "SINK__GROUP_ID": _GROUP,
        }
        return subprocess.Popen(
            [sys.executable, "-m", "session_relay.cli", *words],
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )


_PRODUCING: Final[dict[str, Any]] = {
    "acks": "all",
    "enable.idempotence": True,
    "partitioner": "murmur2_random",
    "linger.ms": 20,
}
_CONSUMING: Final[dict[str, Any]] = {
    "group.id": "bench-bare",
    "enable.auto.commit": False,
    "check.crcs": True,
    "isolation.level": "read_committed",
}


def measure_rebuild(stand: Stand, console: Console, *, rounds: int, count: int) -> dict[str, Any]:
    """Measure rebuild and copy against what they are compared with.

    Raises:
        RelayError: A table or a topic does not hold what it should; nothing that was measured means anything.
    """
    with Progress(console=console, transient=True) as progress:
        place, other = stand.place("again"), stand.place("rebuilt")
        task = progress.add_task(f"filling the topic: {count:,}", total=count)
        fill(place.kafka, NARROW.events(), count, lambda done: progress.update(task, completed=done))
    live = Place(kafka=place.kafka, database_url=other.database_url)
    limit.prepare(place.database_url)
    run_sink(stand, live, count, _GROUP)  # it warms the broker up, too
    ground = Ground(stand=stand, place=place, live=live, count=count)
    calm_collector()  # as the command does; the bare loop, in this process too, has the same
    steps: Steps = {
        "sink, again": ground.sink,
        "rebuild": ground.rebuild,
        "rebuild, 2 processes": partial(ground.rebuild, 2),
        "bare loop": ground.bare,
        "replay to a topic": ground.copy,
    }
    with console.status("measuring rebuild and replay"):
        told = take_turns(steps, rounds, partial(console.print, highlight=False))
    return told_of_rebuild(told, count=count)


def told_of_rebuild(told: dict[str, dict[str, Series]], *, count: int) -> dict[str, Any]:
    """The parts of the results: `rebuild` and `replay`."""
    rebuilt, sink = told["rebuild"]["rate"], told["sink, again"]["rate"]
    by_two = told["rebuild, 2 processes"]["rate"]
    copied, bare = told["replay to a topic"]["rate"], told["bare loop"]["rate"]
    return {
        "rebuild": {
            "ratio": ratio(rebuilt, sink),
            "ratio_range": ratio_range(rebuilt, sink),
            "events": count,
            "rate": rebuilt.told(),
            "sink_rate": sink.told(),
            "two_processes_rate": by_two.told(),
            "two_processes_ratio": ratio(by_two, rebuilt),
        },
        "replay": {
            "ratio": ratio(copied, bare),
            "ratio_range": ratio_range(copied, bare),
            "events": count,
            "rate": copied.told(),
            "limit_rate": bare.told(),
        },
    }
