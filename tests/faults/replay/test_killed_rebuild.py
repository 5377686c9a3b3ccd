"""A rebuild that is killed in any of its steps goes on, and ends as if it had not been.

Two rounds of what `make replay-kills` plays.
"""

import random
from pathlib import Path

import pytest

from tests.replay_kills.play import PHASES, kill_rebuild
from tests.sink_rig import SinkRig

pytestmark = [pytest.mark.integration, pytest.mark.faults]


@pytest.mark.timeout(420)
@pytest.mark.parametrize(("seed", "processes"), [(1, 1), (2, 2)])
def test_killed_in_each_step_it_goes_on(rig: SinkRig, tmp_path: Path, seed: int, processes: int) -> None:
    """Method: SIGKILL a seeded moment after each step was noted; a sink writes all the time."""
    died = kill_rebuild(rig, tmp_path, random.Random(seed), processes)
    assert died.total() == len(PHASES)
