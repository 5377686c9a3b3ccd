"""Storage that Kafka's own tool did not format is as the tool would have left it."""

import re
from pathlib import Path

import pytest

from config.embedded.kafka import Cluster, new_cluster_id
from config.embedded.state import free_port
from config.embedded.storage import CHECKPOINT
from tests.own_broker import cached_jars

pytestmark = pytest.mark.integration


def formatted(home: Path, jars: Path) -> tuple[dict[str, str], list[bytes], list[str]]:
    """What `meta.properties` says, feature levels, and what files there are."""
    ports = ((free_port(), free_port()),)
    cluster = Cluster(directory=home, jars=jars, cluster_id=new_cluster_id(), ports=ports)
    cluster.prepare()
    data = home / "kafka-1" / "data"
    lines = (data / "meta.properties").read_text("ascii").splitlines()
    meta = dict(line.split("=") for line in lines if not line.startswith("#"))
    assert meta["cluster.id"] == cluster.cluster_id
    levels = re.findall(rb"([a-z.]+\.version)\x00(.)", (data / CHECKPOINT).read_bytes())
    return meta, levels, sorted(path.name for path in data.iterdir())


def test_what_is_formatted_alike_is_what_the_tool_leaves(tmp_path: Path) -> None:
    jars, tried = tmp_path / "jars", tmp_path / "tried"
    for path in (jars, tried):
        path.symlink_to(cached_jars())
    by_tool = formatted(tmp_path / "one", jars)
    assert (tmp_path / f"jars-{CHECKPOINT}").exists()
    jars.unlink()
    jars.mkdir()  # no jars: no tool can run
    alike = formatted(tmp_path / "two", jars)
    assert alike[1:] == by_tool[1:] == formatted(tmp_path / "three", tried)[1:]
    assert alike[1]
    assert alike[0].keys() == by_tool[0].keys()
    own = {"cluster.id", "directory.id"}
    assert {name for name in own if alike[0][name] != by_tool[0][name]} == own
    assert {name: alike[0][name] for name in alike[0].keys() - own} == {"node.id": "1", "version": "1"}


def test_an_empty_leftover_is_not_taken_for_storage(tmp_path: Path) -> None:
    jars, kept = tmp_path / "jars", tmp_path / f"jars-{CHECKPOINT}"
    jars.symlink_to(cached_jars())
    kept.touch()
    assert formatted(tmp_path / "one", jars)[1]
    assert kept.stat().st_size
