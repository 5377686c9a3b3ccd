"""An archive that is damaged, in the way, or can't be written: named, refused, gone on with."""

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from config.errors import ExitCode, RelayError, SettingsError, StoppedForSafety
from tests.archives import DAMAGE, EVENTS, archived, manifest, publish_over_days
from tests.events import made
from tests.replay_commands import new_topic, run, told, untouched
from tests.sink_rig import SinkRig

pytestmark = pytest.mark.integration

LIMITED = """
import resource, sys
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv.pop(1)),) * 2)
from session_relay.cli import main
main()
"""


@pytest.mark.parametrize("kind", ["truncated", "altered"])
def test_a_damaged_file_is_named_and_refused_before_anything_is_written(
    rig: SinkRig, admin: AdminClient, tmp_path: Path, kind: str
) -> None:
    archive, target = tmp_path / "archive", new_topic(admin)
    publish_over_days(rig, EVENTS, days=4)
    archived(rig, archive)
    damage, words = DAMAGE[kind]
    path = damage(archive)
    verified = run(rig, "archive", "verify", archive)
    assert isinstance(verified.exception, RelayError)
    assert verified.exception.exit_code == ExitCode.FAILED
    assert f"{path} " in verified.stdout
    assert words in verified.stdout
    assert verified.stdout.endswith("1 problems\n")
    before = untouched(rig, admin, [rig.topic, target])
    for wanted in (("--topic", target), ("--rebuild",)):
        error = run(rig, "replay", "--from-archive", archive, *wanted, "--execute").exception
        assert isinstance(error, StoppedForSafety)
        assert path in str(error)
    assert untouched(rig, admin, [rig.topic, target]) == before


def test_counts_gaps_and_strangers_are_looked_for(rig: SinkRig, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    publish_over_days(rig, EVENTS, days=4)
    archived(rig, archive)
    whole = manifest(archive)
    number = next(f["partition"] for f in whole["files"] if f["begin"] > 0)
    own = [entry for entry in whole["files"] if entry["partition"] == number]
    gone, last = own[1], own[-1]
    last["records"] += 1
    less = [entry for entry in whole["files"] if entry != gone]
    (archive / "manifest.json").write_text(json.dumps({**whole, "files": less}))
    verified = run(rig, "archive", "verify", archive)
    assert f"{archive}/{gone['path']} is not in the manifest" in verified.stdout
    assert f"partition {number} lacks offsets {gone['begin']} to {gone['end']}" in verified.stdout
    assert f"{archive}/{last['path']} has {last['records'] - 1} records" in verified.stdout
    (archive / "manifest.json").write_text(json.dumps(whole)[:-9])
    for words in (("verify", archive), ("list", archive), ("--to", archive)):
        error = run(rig, "archive", *words).exception
        assert type(error) is RelayError
        assert "manifest.json is damaged" in str(error)


def test_another_topic_and_a_cut_log_are_refused(rig: SinkRig, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    rig.publish(EVENTS)
    archived(rig, archive)
    path = archive / "manifest.json"
    whole = path.read_text("utf-8")
    changes = {
        "recreated": (manifest(archive)["topic_id"], "01234567-89ab-4cde-8f01-23456789abcd"),
        "is of the topic": (rig.topic, "elsewhere"),
        "it was cut": ('"end": ', '"end": 9'),
    }
    for words, (one, other) in changes.items():
        path.write_text(whole.replace(one, other))
        error = run(rig, "archive", "--to", archive, "--execute").exception
        assert isinstance(error, StoppedForSafety)
        assert words in str(error)


def test_a_full_disk_ends_a_run_and_the_next_goes_on(rig: SinkRig, tmp_path: Path) -> None:
    """Method: RLIMIT_FSIZE, which write(2) answers with EFBIG; some files fit, one does not."""
    archive = tmp_path / "archive"
    chance = random.Random(5)
    noise = [
        made(session=f"s-{n}", user="u-1", stages=bytes(chance.choices((0, 1, 2, 3), k=20 + 9 * n)))
        for n in range(300)
    ]
    publish_over_days(rig, noise, days=3)
    command = [sys.executable, "-c", LIMITED, "60000", "archive", "--to", str(archive), "--execute"]
    limited = subprocess.run(command, env=rig.environment(), capture_output=True, timeout=90, check=False)
    assert limited.returncode == ExitCode.FAILED
    assert b"no room is left" in limited.stderr
    assert 0 < len(manifest(archive)["files"]) < 3
    assert list(archive.glob("**/*.part")) == []
    assert told(rig, "archive", "verify", archive)["problems"] == []
    archived(rig, archive)
    assert told(rig, "archive", "verify", archive)["records"] == len(noise)


def test_what_cannot_be_is_refused(rig: SinkRig, tmp_path: Path) -> None:
    rig.publish(EVENTS)
    empty = tmp_path / "nothing"
    refused: dict[tuple[object, ...], str] = {
        ("archive",): "--to PATH",
        ("archive", "--to", "gopher://x/y"): "can't be reached",
        ("archive", "verify", empty): "there is no archive",
        ("archive", "list", empty): "there is no archive",
        ("replay", "--from-archive", empty, "--rebuild"): "there is no archive",
    }
    for words, said in refused.items():
        error = run(rig, *words).exception
        assert isinstance(error, SettingsError), words
        assert said in str(error)
    archive = tmp_path / "archive"
    archived(rig, archive)
    error = run(rig, "replay", "--from-archive", archive, "--topic", rig.topic).exception
    assert isinstance(error, SettingsError)
