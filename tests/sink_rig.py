"""Real sinks as child processes on a topic and a database of their own, and the table's view of them."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import psycopg
from confluent_kafka import Producer

from config.embedded.services import EmbeddedServices
from schemas.codec import encode
from schemas.event import SessionEvent
from tests.events import expected_of
from tests.eventually import PATIENCE_S, eventually
from tests.own_places import QUIET
from tests.services import Services

QUICK_SESSION = '{"session.timeout.ms": 1500, "heartbeat.interval.ms": 300}'
"""KAFKA__OPTIONS with which the group soon does without a member that died."""
PATIENT_SESSION = '{"session.timeout.ms": 45000, "heartbeat.interval.ms": 300}'
"""The same as they are by default: a machine that stands still for seconds throws nobody out."""
OUTCOMES = ("written", "duplicate", "stale", "passed", "parked", "erased")
_SUMS = "SELECT " + ", ".join(f"sum({name})::bigint" for name in OUTCOMES) + " FROM consumer_offsets"


class SinkRig:
    """One topic, one database, any number of sinks; ends what it started."""

    def __init__(
        self, services: Services | EmbeddedServices, topic: str, database_url: str, logs: Path
    ) -> None:
        self.topic, self.database_url, self._logs = topic, database_url, logs
        self.kafka = services.addresses.kafka_bootstrap_servers
        self.producer = Producer(
            {
                "bootstrap.servers": self.kafka,
                "partitioner": "murmur2_random",
                "linger.ms": 1,
                "max.in.flight.requests.per.connection": 1,  # or a topic just made gets them out of order
                **QUIET,
            }
        )
        self._sinks: list[subprocess.Popen[bytes]] = []
        self._table = psycopg.connect(database_url, autocommit=True)

    def close(self) -> None:
        """End every sink that still runs, in order if it will: only then its coverage is written."""
        running = [sink for sink in self._sinks if sink.poll() is None]
        for sink in running:
            sink.send_signal(signal.SIGCONT)
            sink.terminate()
        for sink in running:
            try:
                sink.wait(PATIENCE_S)
            except subprocess.TimeoutExpired:
                sink.kill()
                sink.wait(PATIENCE_S)
        self._table.close()

    def environment(self, **settings: str) -> dict[str, str]:
        """Of a process that works on this topic and this database."""
        return {
            **os.environ,
            "ENVIRONMENT": "test",
            "KAFKA__BOOTSTRAP_SERVERS": self.kafka,
            "KAFKA__EVENTS_TOPIC": self.topic,
            "KAFKA__DEAD_LETTERS_TOPIC": f"{self.topic}.dlq",
            "DATABASE_URL": self.database_url,
            "KAFKA__OPTIONS": QUICK_SESSION,
            "SINK__GROUP_ID": self.topic,
            "SINK__BATCH_MS": "20",
            "BREAKER__FAILURES": "2",
            "BREAKER__RESET_S": "0.5",
            "METRICS__SINK_PORT": "0",
            "METRICS__INTERVAL_S": "0.2",
            "DB__POOL_TIMEOUT_S": "2",
            "DB__POOL_MIN": "1",
            **settings,
        }

    def start(self, *arguments: str, **settings: str) -> subprocess.Popen[bytes]:
        """Start a sink with these settings over quick ones for tests."""
        log = (self._logs / f"sink-{len(self._sinks)}.log").open("wb")
        with log:
            command = [sys.executable, "-m", "session_relay.cli", "sink", *arguments]
            sink = subprocess.Popen(command, env=self.environment(**settings), stderr=log, stdout=log)
        self._sinks.append(sink)
        return sink

    def reconnect(self) -> None:
        """Look at the table again after its server was away."""
        self._table.close()
        self._table = psycopg.connect(self.database_url, autocommit=True)

    def log_of(self, sink: subprocess.Popen[bytes]) -> str:
        """What it has logged so far."""
        return self.log_path(sink).read_text("utf-8")

    def log_path(self, sink: subprocess.Popen[bytes]) -> Path:
        """Where it logs."""
        return self._logs / f"sink-{self._sinks.index(sink)}.log"

    def told(self, sink: subprocess.Popen[bytes], event: str, **fields: Any) -> list[dict[str, Any]]:
        """Its log lines of this name that have these fields, in order."""
        wanted = {"event": event, **fields}
        lines = (line for line in self.log_of(sink).splitlines() if line.startswith("{"))
        return [line for line in map(json.loads, lines) if wanted.items() <= line.items()]

    def publish(self, events: Iterable[SessionEvent]) -> int:
        """Publish events by their users' keys and wait for Kafka; returns how many."""
        return self.publish_bytes((event.user_id.encode(), encode(event)) for event in events)

    def publish_bytes(self, records: Iterable[tuple[bytes | None, bytes | None]]) -> int:
        """Publish raw records and wait for Kafka; returns how many."""
        count = 0
        for key, value in records:
            self.producer.produce(self.topic, value, key)
            self.producer.poll(0)
            count += 1
        assert self.producer.flush(PATIENCE_S) == 0
        return count

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Ask the table, or tell it something."""
        cursor = self._table.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []

    def done(self) -> int:
        """Records that the table has accounted for."""
        return int(
            self.query(
                "SELECT coalesce(sum(next_offset - first_offset), 0) FROM consumer_offsets"
                f" WHERE topic = '{self.topic}'"
            )[0][0]
        )

    def wait_until_done(self, count: int, within_s: float = PATIENCE_S) -> None:
        """Wait until so many records are accounted for."""
        eventually(lambda: self.done() >= count, within_s)

    def let_write(self, count: int) -> None:
        """Start a sink, and end it when so many events are done in all."""
        sink = self.start()
        self.wait_until_done(count, within_s=90)
        sink.terminate()
        assert sink.wait(30) == 0

    def sums(self) -> dict[str, int]:
        """Outcomes over all partitions."""
        return dict(zip(OUTCOMES, self.query(f"{_SUMS} WHERE topic = '{self.topic}'")[0], strict=True))

    def assert_accounted(self) -> None:
        """Every partition: the sum of outcomes is what the offsets moved by, less the gaps."""
        wrong = self.query(
            f"SELECT partition FROM consumer_offsets WHERE {' + '.join(OUTCOMES)}"
            " <> next_offset - first_offset - gaps"
        )
        assert wrong == []

    def assert_as_expected(self, log: Sequence[SessionEvent]) -> None:
        """The table and the sums are what the rule, read plainly, makes of the log."""
        expected = expected_of(log)
        told = "SELECT session_id, event_id::text, applied_event_ids::text[] FROM sessions"
        rows = {session: (winner, remembered) for session, winner, remembered in self.query(told)}
        assert rows == expected.rows
        sums = self.sums()
        assert {name: sums[name] for name in expected.outcomes} == expected.outcomes
        self.assert_accounted()
