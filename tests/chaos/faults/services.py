"""Kafka, Postgres and Redis are killed, frozen, stopped, and put back to an earlier day."""

import os
import random
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.chaos.fault import fault
from tests.chaos.stage import Stage, connected
from tests.freezing import freeze

_OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


@fault("kafka", 0.5, 1.5)
def broker_killed(stage: Stage, _: random.Random) -> Iterator[None]:
    with _away(stage, "kafka-1", kill=True):
        yield


@fault("kafka", 1.5, 4)
def broker_frozen(stage: Stage, _: random.Random) -> Iterator[None]:
    with _frozen(stage, "kafka-1"):
        yield


@fault("postgres", 0.5, 2)
def postgres_stopped(stage: Stage, _: random.Random) -> Iterator[None]:
    with _away(stage, "postgres", kill=False):
        yield


@fault("postgres", 0.5, 2)
def postgres_killed(stage: Stage, _: random.Random) -> Iterator[None]:
    with _away(stage, "postgres", kill=True):
        yield


@fault("postgres", 1, 2)
def postgres_restored(stage: Stage, chance: random.Random) -> Iterator[None]:
    """A copy of its files is put back, and all that was written since is gone."""
    with connected(stage.rig) as connection:
        row = connection.execute("SELECT current_setting('data_directory')").fetchone()
    assert row is not None
    data = Path(str(row[0]))
    backup = data.with_name("backup")
    with _away(stage, "postgres", kill=False):
        shutil.rmtree(backup, ignore_errors=True)  # of a round that failed
        subprocess.run(["cp", "-a", str(data), str(backup)], check=True)
    stage.burst(chance, 200)
    yield
    with _away(stage, "postgres", kill=True):
        shutil.rmtree(data)
        backup.rename(data)


@fault("postgres", 0, 0.3)
def connections_terminated(stage: Stage, chance: random.Random) -> Iterator[None]:
    stage.burst(chance, 100)
    with connected(stage.rig) as connection:
        connection.execute(_OTHERS.encode())
    stage.rig.reconnect()
    yield


@fault("redis", 0.5, 2)
def redis_killed(stage: Stage, _: random.Random) -> Iterator[None]:
    with _away(stage, "redis", kill=True):
        yield


@fault("redis", 0.5, 2)
def redis_frozen(stage: Stage, _: random.Random) -> Iterator[None]:
    with _frozen(stage, "redis"):
        yield


@contextmanager
def _away(stage: Stage, name: str, *, kill: bool) -> Iterator[None]:
    stage.services.stop(name, "kill" if kill else "fast")
    try:
        yield
    finally:
        stage.services.start(name)
        if name == "postgres":
            stage.rig.reconnect()


@contextmanager
def _frozen(stage: Stage, name: str) -> Iterator[None]:
    pid = stage.services.pids[name]
    freeze(pid)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)
