"""An archive whose runs are killed is whole in the end: every record once, and no file is half."""

import os
import random
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from consumers.archive.container import records_of
from tests.archives import files, manifest, publish_over_days
from tests.events import spread
from tests.eventually import PATIENCE_S, eventually
from tests.replay_commands import group_offsets, new_topic, records, run, started, told
from tests.sink_rig import SinkRig

pytestmark = [pytest.mark.integration, pytest.mark.faults]

SEEDS = range(1, 1 + int(os.environ.get("ROUNDS", "2")))
"""More of them: `make test ARGS=tests/faults/replay/test_killed_archive.py ROUNDS=50`."""
DAYS = 24


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", SEEDS)
def test_killed_at_seeded_moments_it_goes_on(
    rig: SinkRig, admin: AdminClient, tmp_path: Path, seed: int
) -> None:
    """Method: SIGKILL after a seeded number of files, finished or begun; one for each partition and day."""
    chance = random.Random(seed)
    archive = tmp_path / "archive"
    log = spread(chance, 1_500, sessions=120)
    publish_over_days(rig, log, DAYS)
    offsets = group_offsets(rig, admin)
    words = ("archive", "--to", archive, "--execute")
    killed = 0
    for turn, pattern in enumerate(("**/*.avro", chance.choice(("**/*.avro", "**/*.avro*")))):
        command = started(rig, tmp_path / f"{turn}.log", *words)
        enough = len(files(archive)) + chance.randrange(1, 20)
        eventually(
            lambda c=command, n=enough, p=pattern: len(list(archive.glob(p))) >= n or c.poll() is not None,  # type: ignore[misc]
            within_s=90,
            every_s=chance.uniform(0.001, 0.01),
        )
        command.kill()
        killed += command.wait(PATIENCE_S) < 0
        for path in files(archive):  # whatever has its name is whole
            with path.open("rb") as file:
                assert list(records_of(file, 0)) != []
        if (archive / "manifest.json").exists():
            assert {entry["path"] for entry in manifest(archive)["files"]} <= {
                path.relative_to(archive).as_posix() for path in files(archive)
            }
    assert killed, (tmp_path / "0.log").read_text("utf-8")
    assert run(rig, *words).exit_code == 0
    assert told(rig, "archive", "verify", archive) == {
        "files": len(files(archive)),
        "records": len(log),
        "problems": [],
    }
    target = new_topic(admin)
    told(rig, "replay", "--from-archive", archive, "--topic", target, "--execute")
    assert sorted(map(repr, records(rig, target))) == sorted(map(repr, records(rig, rig.topic)))
    assert group_offsets(rig, admin) == offsets
