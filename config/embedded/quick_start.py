"""Kafka's classes loaded and linked beforehand: a broker is ready in half the time, with a third of the work.

A run of the broker ends with a file that later runs begin from. A JVM or jars other than those of that run
ignore the file. Source: JEP 483 and JEP 514, ahead-of-time class loading and its command line.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from config.embedded.jars import UNFINISHED, check_space, one_at_a_time
from config.embedded.kafka import Cluster, classes_of, new_cluster_id
from config.embedded.processes import Child, end, identify, spawn
from config.embedded.state import free_port
from config.errors import Unavailable

_NEEDED_BYTES: Final = 200_000_000
_READY_WITHIN_S: Final = 60.0
_WRITTEN_WITHIN_S: Final = 60.0


def prepare(jars: Path, say: Callable[[str], None]) -> Path:
    """Make the file unless it is there, by a broker that starts once and ends; takes about 10 s.

    Args:
        jars: Kafka's, verified; the file lies beside them.
        say: Told what is going on.

    Raises:
        Unavailable: The broker did not start, or did not end in time and with the file.
        RelayError: The disk is full.
    """
    classes = classes_of(jars)
    with one_at_a_time(jars.parent):
        if classes.exists():
            return classes
        for former in jars.parent.glob(f"{jars.name}-*.aot"):
            former.unlink()
        check_space(jars.parent, _NEEDED_BYTES)
        say("preparing Kafka for quick starts, once: about 10 s")
        with tempfile.TemporaryDirectory(dir=jars.parent, prefix=UNFINISHED) as name:
            _train(Path(name), jars).rename(classes)
    return classes


def _train(home: Path, jars: Path) -> Path:
    """Run a broker of its own until it acknowledges a record; returns the file that it leaves.

    Raises:
        Unavailable: It did not start, or did not end in time: what it wrote may be half a file.
    """
    ports = ((free_port(), free_port()),)
    # with every compiler: what the file tells of them binds the brokers that begin from it
    cluster = Cluster(directory=home, jars=jars, cluster_id=new_cluster_id(), ports=ports, sustained=True)
    cluster.prepare()
    made = home / "classes.aot"
    child = spawn(cluster.launch(1, f"-XX:AOTCacheOutput={made}"))
    identity = identify(child.process.pid)
    try:
        _await(child, cluster)
    finally:
        if identity:
            end([identity], _WRITTEN_WITHIN_S)
        child.process.wait()
    if child.process.returncode < 0 or not made.exists():
        raise child.failure()
    return made


def _await(child: Child, cluster: Cluster) -> None:
    until_s = time.monotonic() + _READY_WITHIN_S
    while not cluster.is_ready(1):
        if child.process.poll() is not None:
            raise child.failure()
        if time.monotonic() > until_s:
            raise Unavailable(f"Kafka was not ready within {_READY_WITHIN_S:.0f} s.")
        time.sleep(0.1)
