"""All that one round has, and that its faults lay hands on."""

import json
import os
import random
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import psycopg
from confluent_kafka import Producer
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from config.embedded.services import EmbeddedServices
from schemas.codec import encode
from tests.chaos.load import CREDENTIALS, Load
from tests.chaos.members import Crew, Member
from tests.deliveries import API_KEY, SIGNING_KEY
from tests.events import history
from tests.kafka_wire import KafkaWire
from tests.own_places import QUIET
from tests.ports import free_port
from tests.proxy import Proxy
from tests.relay_process import RelayProcess
from tests.row_history import install
from tests.sink_rig import SinkRig

TENANT = "chaos"
BEAST = 666
"""A sequence that the round's database refuses."""
_HMAC = {"scheme": "hmac_sha256", "secrets": [SIGNING_KEY]}
_KEY = {"scheme": "api_key", "secrets": [API_KEY]}
_SOURCES = {
    "asleep": {"vendor": "asleep", "tenant": TENANT, "schemes": [_KEY, _HMAC]},
    "generic": {"vendor": "generic", "tenant": TENANT, "schemes": [_HMAC]},
}
_DISK_BYTES = 24 * 1024 * 1024
_ENDING_S = 20.0


class Stage:
    """One round's relay, sinks, wires and places.

    Args:
        services: Shared with other rounds.
        rig: The topic, the database and the launching of sinks.
        logs: Where the relay's go.
        chance: Draws how they are set up.
    """

    def __init__(
        self, services: EmbeddedServices, rig: SinkRig, logs: Path, chance: random.Random, stack: ExitStack
    ) -> None:
        self.services, self.rig, self._logs = services, rig, logs
        self.poison: set[bytes] = set()
        """Values that can't be stored."""
        self.bursts = 0
        self.abort = threading.Event()
        self.producer = Producer(
            {
                "bootstrap.servers": rig.kafka,
                "partitioner": "murmur2_random",
                "enable.idempotence": True,
                **QUIET,
            }
        )
        install(rig.database_url)
        rig.query(f"ALTER TABLE sessions ADD CONSTRAINT no_beast CHECK (sequence <> {BEAST})")
        self.relay_wire = stack.enter_context(KafkaWire(rig.kafka))
        self.sink_wire = stack.enter_context(KafkaWire(rig.kafka))
        told = conninfo_to_dict(rig.database_url)
        self.postgres_wire = stack.enter_context(Proxy(str(told["host"]), int(str(told["port"]))))
        self.spool_disk = stack.enter_context(_small_disk(logs / "spool"))
        self.is_disk_small = self.spool_disk.is_mount()
        self.port, self._sidecar_port = free_port(), free_port()
        self.batch_rows = str(chance.choice([7, 50, 20_000]))
        crew = stack.enter_context(Crew())
        stack.callback(self._end)
        self._relays: list[RelayProcess] = []
        self.relay = Member("relay", self._launch_relay)
        ways = [True, chance.random() < 0.5]
        self.sinks = [Member(f"sink {n}", self.sink_launcher(wired=wired)) for n, wired in enumerate(ways)]
        self.guests: list[Member] = []
        self._crew = crew
        crew.members += [self.relay, *self.sinks]

    @property
    def members(self) -> list[Member]:
        """All processes of ours."""
        return [self.relay, *self.sinks, *self.guests]

    def pause(self, seconds: float) -> None:
        """Let time pass: a fault lasts, others go on."""
        self.abort.wait(seconds)

    def load(self, seed: int, count: int, rate: float) -> Load:
        """Begin to send."""
        return Load(f"http://127.0.0.1:{self.port}", seed, count, rate)

    def burst(self, chance: random.Random, count: int) -> None:
        """Publish so many events past the relay: revisions, ties, repeats, late ones, at once."""
        self.bursts += 1
        log = history(chance, count, sessions=max(2, count // 8), prefix=f"b{self.bursts}")
        self.publish([(event.user_id.encode(), encode(event)) for event in log])

    def publish(self, records: Sequence[tuple[bytes | None, bytes | None]]) -> None:
        """Publish records; while Kafka is away they wait, and `unpublished` tells how many."""
        for key, value in records:
            self.producer.produce(self.rig.topic, value, key)
        self.producer.flush(2)

    def unpublished(self) -> int:
        """How many of our records Kafka has not acknowledged yet."""
        return self.producer.flush(0)

    def join(self, chance: random.Random) -> Member:
        """One more sink, for a while; whoever asks for it ends it."""
        guest = Member("guest", self.sink_launcher(wired=chance.random() < 0.5))
        guest.held = True
        self.guests.append(guest)
        return guest

    def spooled(self) -> float:
        """Events in the relay's spool; raises while nobody can tell."""
        return self._relays[-1].metrics()["relay_spool_events"]

    def sink_launcher(self, *, wired: bool) -> Callable[[], tuple["subprocess.Popen[bytes]", Path]]:
        """Starts sinks that reach Kafka and Postgres by the wires, or directly."""
        settings = {
            "SINK__BATCH_ROWS": self.batch_rows,
            "DB__LOCK_TIMEOUT_S": "2",
            "DB__STATEMENT_TIMEOUT_S": "4",
        }
        if wired:
            settings["KAFKA__BOOTSTRAP_SERVERS"] = self.sink_wire.bootstrap_servers
            port = self.postgres_wire.port
            settings["DATABASE_URL"] = make_conninfo(self.rig.database_url, host="127.0.0.1", port=port)

        def launch() -> tuple["subprocess.Popen[bytes]", Path]:
            sink = self.rig.start(**settings)
            return sink, self.rig.log_path(sink)

        return launch

    def _launch_relay(self) -> tuple["subprocess.Popen[bytes]", Path]:
        directory = self._logs / f"relay-{len(self._relays)}"
        directory.mkdir()
        settings = {
            "ENVIRONMENT": "test",
            "API_PORT": str(self.port),
            "METRICS__RELAY_PORT": str(self._sidecar_port),
            "METRICS__INTERVAL_S": "0.1",
            "KAFKA__BOOTSTRAP_SERVERS": self.relay_wire.bootstrap_servers,
            "KAFKA__EVENTS_TOPIC": self.rig.topic,
            "KAFKA__DEAD_LETTERS_TOPIC": f"{self.rig.topic}.dlq",
            "SOURCES": json.dumps(_SOURCES),
            "RELAY__SPOOL_DIR": str(self.spool_disk),
            "RELAY__SPOOL_AFTER_S": "0.5",
            "RELAY__LIMIT_PER_SOURCE": "1000000/minute",
            "RELAY__LIMIT_SHARE_MS": "50",
            "REDIS_URL": self.services.addresses.redis_url,
        }
        assert _SOURCES.keys() == CREDENTIALS.keys()
        relay = RelayProcess(directory, settings)
        relay.sidecar_port = self._sidecar_port
        self._relays.append(relay)
        return relay.process, relay.log

    def _end(self) -> None:
        """Whatever happened: no process is left, none frozen."""
        self.abort.set()
        for member in self.members:
            with suppress(ProcessLookupError):
                member.kill(hold=True)
        for relay in self._relays:
            relay.client.close()


@contextmanager
def staged(services: EmbeddedServices, rig: SinkRig, logs: Path, chance: random.Random) -> Iterator[Stage]:
    """A round's stage; nothing of it is left afterwards but logs."""
    with ExitStack() as stack:
        yield Stage(services, rig, logs, chance, stack)


@contextmanager
def _small_disk(place: Path) -> Iterator[Path]:
    """A disk that can be filled, where we may mount one; else a directory."""
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={_DISK_BYTES}", "tmpfs", str(place)]
    small = os.geteuid() == 0 and subprocess.run(mount, check=False, capture_output=True).returncode == 0
    try:
        yield place
    finally:
        if small:
            subprocess.run(["umount", "--lazy", str(place)], check=True)


def can_mount() -> bool:
    """Whether a disk small enough to be filled can be had here."""
    with tempfile.TemporaryDirectory() as name, _small_disk(Path(name) / "disk") as disk:
        return disk.is_mount()


def connected(rig: SinkRig) -> psycopg.Connection[tuple[Any, ...]]:
    """A new connection to the round's database."""
    return psycopg.connect(rig.database_url, autocommit=True, connect_timeout=5)
