"""Kafka begins from classes that were loaded beforehand, and does without a file that is none of its own."""

from pathlib import Path

import pytest

from config.embedded.kafka import classes_of
from config.embedded.quick_start import prepare
from tests.own_broker import cached_jars, own_broker

pytestmark = pytest.mark.integration


@pytest.fixture
def jars(tmp_path: Path) -> Path:
    """The jars of this repository's cache, in another one."""
    held = cached_jars()
    (there := tmp_path / held.name).mkdir()
    for jar in held.iterdir():
        (there / jar.name).symlink_to(jar)
    return there


def memory_of_a_broker(home: Path, jars: Path) -> str:
    """What one has mapped once it acknowledges."""
    with own_broker(home, jars) as broker:
        return Path(f"/proc/{broker.pid}/maps").read_text()


def test_a_broker_begins_from_what_was_prepared(tmp_path: Path) -> None:
    """In the cache of all tests, for which `make test` has it prepared; else this is the first time."""
    said: list[str] = []
    jars = cached_jars()
    classes = prepare(jars, said.append)
    assert classes == classes_of(jars)
    assert prepare(jars, said.append) == classes
    assert len(said) <= 1
    assert list(jars.parent.glob("unfinished-*")) == []
    assert str(classes) in memory_of_a_broker(tmp_path / "broker", jars)


def test_a_file_of_another_java_is_left_alone(jars: Path, tmp_path: Path) -> None:
    classes_of(jars).write_bytes(b"of some other build" * 1_000)
    assert str(classes_of(jars)) not in memory_of_a_broker(tmp_path / "broker", jars)
