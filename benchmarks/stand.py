"""The test stand: services of its own in a directory that is thrown away, topics, databases, processes."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

import psutil
import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from config.embedded.services import EmbeddedServices, default_state_dir
from config.embedded.state import load
from config.embedded.status import Addresses
from config.migrations.apply import migrate
from config.sections import KafkaSettings
from config.topics import apply_topics
from session_relay.up.roles import Role

_PREFIX: Final = "bench-"
_MIB: Final = 1024 * 1024


class Usage:
    """What a process uses of the machine."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)

    def cpu_s(self) -> float:
        """CPU seconds since its start, user and system."""
        times = self._process.cpu_times()
        return float(times.user + times.system)

    def peak_mib(self) -> float:
        """The most memory that it had resident at once (proc_pid_status(5), VmHWM)."""
        status = Path(f"/proc/{self._process.pid}/status").read_text("ascii")
        kib = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
        return int(kib) * 1024 / _MIB


@dataclass(frozen=True, kw_only=True)
class Place:
    """One topic and one database."""

    kafka: KafkaSettings
    database_url: str


@dataclass(frozen=True, kw_only=True)
class Stand:
    """Running services, and what is put on them."""

    addresses: Addresses
    versions: dict[str, str]
    directory: Path

    @classmethod
    @contextmanager
    def opened(cls, say: Callable[[str], None]) -> Iterator[Self]:
        """Start services in a new directory; at the end nothing of it is left, neither process nor file."""
        home = default_state_dir()
        home.mkdir(parents=True, exist_ok=True)
        _remove_leftovers(home)
        directory = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=home.resolve()))
        directory.chmod(0o755)  # Postgres refuses to run as root, and as somebody else it must get in
        try:
            os.environ.setdefault("SESSION_RELAY_CACHE", str(home.resolve() / "cache"))  # the demo's jars
            with EmbeddedServices.running(directory, 1, say, sustained=True) as services:
                state = load(directory)
                versions = state.versions if state else {}
                yield cls(addresses=services.addresses, versions=versions, directory=directory)
        finally:
            _remove(directory)

    def place(self, name: str) -> Place:
        """Make a topic, with the partitions that `topics.yml` declares, and a migrated database."""
        kafka = KafkaSettings(
            bootstrap_servers=self.addresses.kafka_bootstrap_servers,
            events_topic=f"bench.{name}",
            dead_letters_topic=f"bench.{name}.dlq",
        )
        apply_topics(kafka)
        with psycopg.connect(self.addresses.database_url, autocommit=True) as connection:
            connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(f"bench_{name}")))
        database_url = make_conninfo(self.addresses.database_url, dbname=f"bench_{name}")
        migrate(database_url)
        return Place(kafka=kafka, database_url=database_url)

    def role(self, name: str, place: Place, ready_url: str = "", **environment: str) -> Role:
        """Start a role as a process that ends with this one; what is not named here is at its default.

        Args:
            name: Of the role.
            place: Its topic and its database.
            ready_url: Where it tells that it is ready; needed only by who wants to wait for that.
            environment: More settings.
        """
        settings = self.addresses.environment() | {
            "DATABASE_URL": place.database_url,
            "KAFKA__EVENTS_TOPIC": place.kafka.events_topic,
            "KAFKA__DEAD_LETTERS_TOPIC": place.kafka.dead_letters_topic,
            "METRICS__RELAY_PORT": "0",
            "METRICS__SINK_PORT": "0",
            "APP__LOG_FORMAT": "json",
        }
        return Role(name, settings | environment, self.directory, ready_url)


def _remove_leftovers(home: Path) -> None:
    """Remove the directories of runs that were killed."""
    for directory in home.glob(f"{_PREFIX}*"):
        state = load(directory)
        if state is not None and state.keeper is not None and not state.keeper.is_alive():
            _remove(directory)


def _remove(directory: Path) -> None:
    """Remove a state directory, and Postgres' files where they could not be inside it."""
    state = load(directory)
    if state is not None and state.postgres_dir:
        shutil.rmtree(state.postgres_dir, ignore_errors=True)
    shutil.rmtree(directory, ignore_errors=True)
