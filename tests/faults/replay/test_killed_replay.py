"""A replay to a topic that is killed goes on: nothing is missing, and what is there twice is the same.

A round of what `make replay-kills` plays.
"""

import random
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from tests.replay_kills.play import kill_copy
from tests.sink_rig import SinkRig

pytestmark = [pytest.mark.integration, pytest.mark.faults]


@pytest.mark.timeout(300)
def test_killed_at_seeded_moments_it_goes_on(rig: SinkRig, admin: AdminClient, tmp_path: Path) -> None:
    """Method: slowed down by --rate, SIGKILL after a seeded number of records are in the topic."""
    kill_copy(rig, admin, tmp_path, random.Random(4), count=3_000, kills=3)
