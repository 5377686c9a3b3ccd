"""Kafka begins from classes that were loaded beforehand, and does without a file that is none of its own."""

import os
from pathlib import Path

import pytest

from config.embedded.jars import resolve
from config.embedded.kafka import Cluster, classes_of, new_cluster_id
from config.embedded.processes import end, identify, spawn
from config.embedded.quick_start import prepare
from config.embedded.state import free_port
from tests.docs.source_tree import ROOT
from tests.eventually import eventually

pytestmark = pytest.mark.integration


@pytest.fixture
def jars(tmp_path: Path) -> Path:
    """The jars of this repository's cache, in another one."""
    cache = os.environ.get("SESSION_RELAY_CACHE") or ROOT / ".session-relay" / "cache"
    held = resolve(Path(cache), print)
    (there := tmp_path / held.name).mkdir()
    for jar in held.iterdir():
        (there / jar.name).symlink_to(jar)
    return there


def started(home: Path, jars: Path) -> str:
    """Start a broker, wait until it acknowledges, end it; returns what it had mapped into its memory."""
    ports = ((free_port(), free_port()),)
    cluster = Cluster(directory=home, jars=jars, cluster_id=new_cluster_id(), ports=ports)
    cluster.prepare()
    child = spawn(cluster.launch(1))
    identity = identify(child.process.pid)
    assert identity is not None
    try:
        eventually(lambda: cluster.is_ready(1), within_s=60)
        return Path(f"/proc/{child.process.pid}/maps").read_text()
    finally:
        end([identity])
        child.process.wait()


def test_a_broker_begins_from_what_was_prepared(jars: Path, tmp_path: Path) -> None:
    said: list[str] = []
    classes = prepare(jars, said.append)
    assert classes == classes_of(jars)
    assert prepare(jars, said.append) == classes
    assert len(said) == 1
    assert {path.name for path in tmp_path.iterdir()} == {jars.name, classes.name, "lock"}
    assert str(classes) in started(tmp_path / "broker", jars)


def test_a_file_of_another_java_is_left_alone(jars: Path, tmp_path: Path) -> None:
    classes_of(jars).write_bytes(b"of some other build" * 1_000)
    assert str(classes_of(jars)) not in started(tmp_path / "broker", jars)
