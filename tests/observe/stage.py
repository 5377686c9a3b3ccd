"""The services, a relay, a sink and now and then a backfill, each at a place that outlives its process."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import httpx
import psycopg
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from rich.console import Console

from config.migrations.apply import migrate
from config.sections import KafkaSettings
from config.topics import apply_topics
from session_relay.simulate import standalone
from session_relay.simulate.sender import Manner
from session_relay.tether import with_our_code
from session_relay.up.roles import Role
from session_relay.up.setting import Ports, Setting
from tests.backfill_process import BackfillProcess, users_file
from tests.deliveries import as_body, generic_session
from tests.eventually import PATIENCE_S
from tests.fake_asleep import FakeAsleep
from tests.own_places import QUIET
from tests.ports import free_port
from tests.services import embedded

TOPIC: Final = "session.events"
SPOOL_BYTES: Final = 80_000_000
"""Above the 50 MB of room below which an alert fires by itself."""
STORM_WINDOW: Final = 400
_QUICK: Final = {
    "METRICS__INTERVAL_S": "0.5",
    "BREAKER__FAILURES": "1",
    "BREAKER__RESET_S": "3",
    "DB__POOL_TIMEOUT_S": "1",
    "SINK__STORM_WINDOW": str(STORM_WINDOW),
    "SINK__BATCH_ROWS": "500",
    "RELAY__SPOOL_AFTER_S": "0.5",
    "RELAY__SPOOL_MAX_BYTES": str(SPOOL_BYTES),
}
_MORE_SOURCES: Final = {
    "plain": {"vendor": "generic", "schemes": [{"scheme": "none"}]},
    "limited": {"vendor": "generic", "schemes": [{"scheme": "none"}], "limit": "1/hour"},
    "watches": {"vendor": "garmin", "schemes": [{"scheme": "none"}]},
}
_JSON: Final = {"content-type": "application/json"}


class Stage:
    """What the drills are played on."""

    def __init__(self, stack: ExitStack, directory: Path) -> None:
        self._directory = directory
        self.services = stack.enter_context(embedded())
        self.kafka = self.services.addresses.kafka_bootstrap_servers
        self.database_url = self.services.addresses.database_url
        migrate(self.database_url)
        apply_topics(KafkaSettings(bootstrap_servers=self.kafka))
        self.setting = Setting.drawn(Ports(free_port(), free_port(), free_port()))
        self.spool = directory / "spool"
        self.admin = AdminClient({"bootstrap.servers": self.kafka, **QUIET})
        self.producer = Producer({"bootstrap.servers": self.kafka, "partitioner": "murmur2_random", **QUIET})
        self._roles: dict[str, Role] = {}
        for name in ("sink", "relay"):
            stack.callback(self.end, name)
            self.start(name)
        self.relay_url = f"http://127.0.0.1:{self.setting.ports.relay}"

    def environment(self, name: str) -> dict[str, str]:
        """A role's settings, or a command's."""
        told = self.setting.environment(name, self.services.addresses) | _QUICK
        sources = json.loads(told["SOURCES"]) | _MORE_SOURCES
        return told | {"SOURCES": json.dumps(sources), "RELAY__SPOOL_DIR": str(self.spool)}

    def start(self, name: str, **settings: str) -> None:
        """Start a role, once more at its old place, and wait until it is ready."""
        self._roles[name] = Role(name, self.environment(name) | settings, self._directory)
        self._roles[name].wait_ready()

    def end(self, name: str) -> None:
        """End a role in order."""
        if name in self._roles:
            self._roles.pop(name).stop()

    def kill(self, name: str) -> None:
        """End a role as the kernel would."""
        os.kill(self._roles[name].pid, signal.SIGKILL)

    def targets(self) -> dict[str, str]:
        """Where each role's sidecar listens."""
        ports = self.setting.ports
        return {"relay": f"127.0.0.1:{ports.relay_sidecar}", "sink": f"127.0.0.1:{ports.sink_sidecar}"}

    def command(self, *arguments: str) -> str:
        """Run an operator's command; returns what it prints."""
        done = subprocess.run(
            [sys.executable, "-m", "session_relay.cli", *arguments],
            env=with_our_code(dict(os.environ)) | self.environment("command"),
            cwd=self._directory,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{arguments}: {done.stdout}{done.stderr}"
        return done.stdout

    def query(self, statement: str) -> list[tuple[object, ...]]:
        """Ask or tell the database something."""
        with psycopg.connect(self.database_url, autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def put_spool_away(self) -> None:
        """Keep the spool's files elsewhere, as an operator who archives them; their relay has ended."""
        shutil.move(self.spool, self._directory / f"spool-{len(list(self._directory.iterdir()))}")

    def poison(self, count: int) -> None:
        """Publish records that no sink can read."""
        for _ in range(count):
            self.producer.produce(TOPIC, b"no event at all", b"nobody")
        assert self.producer.flush(PATIENCE_S) == 0

    def send_nights(self, count: int, rate: float) -> None:
        """Send a simulator's nights, so many a second."""
        order = standalone.Order(
            url=self.relay_url,
            credentials=self.setting.credentials,
            seed=1,
            count=count,
            manner=Manner(connections=8, rate=rate),
        )
        standalone.send(order, Console(stderr=True))

    def make_occasions(self) -> None:
        """What a day brings besides: refusals, a limit, bad items of a good delivery, poison."""
        bad = {"userId": "watch-1", "summaryId": "x", "startTimeInSeconds": "noon", "durationInSeconds": 60}
        good = bad | {"summaryId": "y", "startTimeInSeconds": 1_771_103_100}
        with httpx.Client(base_url=f"{self.relay_url}/webhooks", headers=_JSON, trust_env=False) as client:
            answers = [
                client.post("generic", content=b"{}").status_code,
                client.post("plain", content=b"{}").status_code,
                client.post("watches", content=as_body({"sleeps": [good, bad]})).status_code,
                client.post("limited", content=as_body(generic_session())).status_code,
                client.post("limited", content=as_body(generic_session())).status_code,
            ]
        assert answers == [401, 422, 200, 200, 429], answers
        self.poison(5)

    @contextmanager
    def backfilling(self) -> Iterator[str]:
        """A backfill that has much to do and takes its time; yields where its sidecar listens."""
        vendor = FakeAsleep(users=40, nights=30)
        users = ("--users", users_file(self._directory, vendor.ids()))
        settings = {"BACKFILL__RATE_PER_S": "20", "METRICS__INTERVAL_S": "0.5"}
        with vendor.serving():
            running = BackfillProcess(self._directory, vendor, self.kafka, TOPIC, *users, **settings)
            try:
                yield f"127.0.0.1:{running.told('sidecar_started')['port']}"
            finally:
                running.end()
