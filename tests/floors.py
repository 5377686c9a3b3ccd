"""The oldest services that are promised to work: Kafka 3.9, PostgreSQL 16, Redis 6.2; all embedded.

Kafka's jars are other ones of Maven Central, pinned in `floors.json`; PostgreSQL 16 and Redis 6.2 are in
the same wheels as ever.
"""

import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import pytest

from config.embedded import jars
from config.embedded.kafka import Cluster, new_cluster_id
from config.embedded.postgres import Postgres, choose_install
from config.embedded.processes import Launch, end, identify, spawn
from config.embedded.redis import Redis
from config.embedded.status import Addresses
from tests.docs.source_tree import ROOT
from tests.eventually import eventually
from tests.ports import free_port

KAFKA: Final = "3.9.1"
POSTGRES: Final = "16"
REDIS: Final = "6.2"
_READY_WITHIN_S: Final = 90.0


@contextmanager
def floors() -> Iterator[Addresses]:
    """Start all three, and end them."""
    pins: dict[str, str] = json.loads((ROOT / "tests" / "floors.json").read_text("utf-8"))
    release = jars.Release(KAFKA, pins)
    found = jars.resolve(ROOT / ".session-relay" / "cache", print, release)
    with tempfile.TemporaryDirectory(prefix="session-relay-floors-") as name, ExitStack() as stack:
        home = Path(name)
        home.chmod(0o755)
        kafka = Cluster(
            directory=home, jars=found, cluster_id=new_cluster_id(), ports=((free_port(), free_port()),)
        )
        kafka.prepare()
        _start(stack, kafka.launch(1), lambda: kafka.is_ready(1))
        install = choose_install(home, print, "pginstall")
        postgres = Postgres(home=home / "postgres", install=install, port=free_port())
        postgres.prepare()
        _start(stack, postgres.launch(), postgres.is_ready)
        redis = Redis(home=home / "redis", port=free_port())
        _start(stack, redis.launch(), redis.is_ready)
        if not (postgres.version().startswith(POSTGRES) and redis.version().startswith(REDIS)):
            pytest.fail(f"no floors: PostgreSQL {postgres.version()}, Redis {redis.version()}")
        yield Addresses(
            kafka_bootstrap_servers=kafka.bootstrap_servers, database_url=postgres.url, redis_url=redis.url
        )


def _start(stack: ExitStack, launch: Launch, is_ready: Callable[[], bool]) -> None:
    child = spawn(launch)
    identity = identify(child.process.pid)
    if identity is None:
        raise child.failure()
    stack.callback(child.process.wait, 30)
    stack.callback(end, [identity])
    eventually(lambda: child.process.poll() is not None or is_ready(), _READY_WITHIN_S)
    if child.process.poll() is not None:
        raise child.failure()
