"""What runs in a state directory, and where it listens."""

from dataclasses import dataclass
from pathlib import Path

from config.embedded.postgres import DATABASE
from config.embedded.state import State, load


@dataclass(frozen=True, kw_only=True)
class Addresses:
    """Where the services listen, in the spelling of the settings."""

    kafka_bootstrap_servers: str
    database_url: str
    redis_url: str

    def environment(self) -> dict[str, str]:
        """The environment variables that point a role at these services."""
        return {
            "KAFKA__BOOTSTRAP_SERVERS": self.kafka_bootstrap_servers,
            "DATABASE_URL": self.database_url,
            "REDIS_URL": self.redis_url,
        }


@dataclass(frozen=True, kw_only=True)
class Status:
    """Services that run now."""

    state_dir: Path
    brokers: int
    addresses: Addresses
    versions: dict[str, str]
    pids: dict[str, int]
    """By name: kafka-1, postgres, redis; one that has ended is missing."""
    keeper_pid: int

    @property
    def expected(self) -> list[str]:
        """The names of all services that belong here."""
        return [*(f"kafka-{node}" for node in range(1, self.brokers + 1)), "postgres", "redis"]

    @property
    def missing(self) -> list[str]:
        """The names of those that have ended."""
        return [name for name in self.expected if name not in self.pids]


def status(state_dir: Path) -> Status | None:
    """What runs in a state directory; None when nothing does, or not yet."""
    state = load(state_dir)
    if state is None or not state.ready or state.keeper is None or not state.keeper.is_alive():
        return None
    return Status(
        state_dir=state_dir,
        brokers=state.brokers,
        addresses=_addresses(state),
        versions=state.versions,
        pids={name: one.pid for name, one in state.services.items() if one.is_alive()},
        keeper_pid=state.keeper.pid,
    )


def _addresses(state: State) -> Addresses:
    kafka = [f"127.0.0.1:{state.ports[f'kafka-{node}']}" for node in range(1, state.brokers + 1)]
    return Addresses(
        kafka_bootstrap_servers=",".join(kafka),
        database_url=f"postgresql://postgres@127.0.0.1:{state.ports['postgres']}/{DATABASE}",
        redis_url=f"redis://127.0.0.1:{state.ports['redis']}/0",
    )
