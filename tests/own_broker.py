"""One Kafka broker of a test alone, with settings of its own."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from config.embedded.jars import resolve
from config.embedded.kafka import Cluster, new_cluster_id
from config.embedded.processes import end, identify, spawn
from config.embedded.state import free_port
from tests.docs.source_tree import ROOT
from tests.eventually import eventually

_READY_WITHIN_S = 60.0


class Broker(NamedTuple):
    """A broker that acknowledges."""

    pid: int
    bootstrap_servers: str


def cached_jars() -> Path:
    """Kafka's jars, where all embedded services of the tests have them."""
    return resolve(Path(os.environ.get("SESSION_RELAY_CACHE") or ROOT / ".session-relay" / "cache"), print)


@contextmanager
def own_broker(home: Path, jars: Path, **settings: str) -> Iterator[Broker]:
    """Start one, and end it.

    Args:
        home: Where its data and its log are.
        jars: Kafka's.
        settings: Of the broker, with underscores for dots.
    """
    ports = ((free_port(), free_port()),)
    cluster = Cluster(directory=home, jars=jars, cluster_id=new_cluster_id(), ports=ports)
    cluster.prepare()
    with (home / "kafka-1" / "server.properties").open("a") as properties:
        properties.writelines(f"{name.replace('_', '.')}={value}\n" for name, value in settings.items())
    child = spawn(cluster.launch(1))
    identity = identify(child.process.pid)
    assert identity is not None
    try:
        eventually(lambda: cluster.is_ready(1), _READY_WITHIN_S)
        yield Broker(child.process.pid, cluster.bootstrap_servers)
    finally:
        end([identity])
        child.process.wait()
