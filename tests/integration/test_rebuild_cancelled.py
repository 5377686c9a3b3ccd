"""A rebuild that folds says how far it is, and ends soon when it is cancelled, with all of its processes."""

import random
from pathlib import Path
from typing import Any

import pytest

from config.errors import ExitCode
from tests.events import spread
from tests.eventually import eventually
from tests.replay_commands import children_of, started, told
from tests.sink_rig import SinkRig

pytestmark = pytest.mark.integration
COMMAND = ("replay", "--rebuild", "--execute")
SHADOWS = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'rebuild%'"


@pytest.mark.timeout(180)
@pytest.mark.parametrize("processes", [1, 2])
def test_one_that_folds_is_cancelled(rig: SinkRig, tmp_path: Path, processes: int) -> None:
    """Method: slowed down by --rate to half a minute, and cancelled when it has told how far it is."""
    rig.publish(spread(random.Random(7), 3_000, sessions=80))
    sink = rig.start()
    rig.wait_until_done(3_000, within_s=90)
    sink.terminate()
    assert sink.wait(30) == 0
    log = tmp_path / "rebuild.log"
    command = started(rig, log, *COMMAND, "--processes", processes, "--rate", 100)

    def halfway() -> Any:
        (shown,) = told(rig, "replays", "list")["replays"] or [{"phase": "", "read": 0}]
        return shown["phase"] == "folding" and 0 < shown["read"] < 3_000

    eventually(halfway, every_s=0.2)
    children = children_of(command.pid)
    assert len(children) == (processes if processes > 1 else 0)
    assert told(rig, "replays", "cancel", 1, "--execute")["executed"]
    assert command.wait(15) == ExitCode.FAILED
    assert "replay 1 has ended in the meantime" in log.read_text("utf-8")
    assert "Traceback" not in log.read_text("utf-8")
    assert [child for child in children if Path(f"/proc/{child}").exists()] == []
    assert rig.query(SHADOWS) == []
    assert told(rig, "replays", "list")["replays"][0]["state"] == "cancelled"
    assert told(rig, *COMMAND)["replay"] == 2
