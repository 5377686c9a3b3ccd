"""A rebuild that is killed in any of its steps goes on, and ends as if it had not been."""

import random
from pathlib import Path
from typing import Final

import pytest

from tests.events import spread
from tests.eventually import eventually
from tests.replay_commands import run, started
from tests.sink_rig import SinkRig

pytestmark = [pytest.mark.integration, pytest.mark.faults]

PHASES: Final = ("seeding", "folding", "comparing", "built", "indexing", "swapping")
COMMAND: Final = ("replay", "--rebuild", "--swap", "--execute")


@pytest.mark.timeout(420)
@pytest.mark.parametrize(("seed", "processes"), [(1, 1), (2, 2)])
def test_killed_in_each_step_it_goes_on(rig: SinkRig, tmp_path: Path, seed: int, processes: int) -> None:
    """Method: SIGKILL a seeded number of looks after each step was noted; a sink writes all the time."""
    chance = random.Random(seed)
    log = spread(chance, 6_000, sessions=100)
    published = rig.publish(log[:4_000])
    rig.start(SINK__BATCH_ROWS="100")
    rig.wait_until_done(3_000, within_s=90)
    for number, phase in enumerate(PHASES):
        published += rig.publish(log[published : published + 300])
        told = tmp_path / f"{number}.log"
        command = started(rig, told, *COMMAND, "--processes", processes)
        later = PHASES[PHASES.index(phase) :]
        rows = f"SELECT phase FROM replays WHERE state = 'done' OR phase IN {(*later, '')!r}"
        eventually(lambda rows=rows: rig.query(rows), within_s=90, every_s=chance.uniform(0.001, 0.02))  # type: ignore[misc]
        command.kill()
        command.wait(10)
        rig.query("UPDATE replays SET phase = 'killed' WHERE state = 'unfinished'")
    rig.publish(log[published:])
    result = run(rig, *COMMAND, "--processes", processes)
    assert result.exit_code == 0, result.exception
    rig.wait_until_done(len(log), within_s=90)
    rig.assert_as_expected(log)
    assert {state for (state,) in rig.query("SELECT state FROM replays")} == {"done"}
    assert rig.query("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'rebuild%'") == []
