"""A sink that is killed at any moment, again and again, leaves what one clean pass would have left."""

import random
import signal
import subprocess

import pytest

from tests.events import history
from tests.eventually import PATIENCE_S, eventually
from tests.sink_rig import SinkRig

pytestmark = [pytest.mark.integration, pytest.mark.faults]

KILLS = 20
PER_KILL = 300


def kill(sink: subprocess.Popen[bytes]) -> None:
    sink.send_signal(signal.SIGKILL)
    sink.wait(PATIENCE_S)


def wait_for_a_moment(rig: SinkRig, chance: random.Random, total: int) -> None:
    """Wait until some batches are committed since now and some are still to come."""
    before = rig.done()
    more = chance.randrange(1, PER_KILL // 2)
    eventually(lambda: rig.done() >= before + more, every_s=chance.uniform(0.0005, 0.003))
    assert rig.done() < total


@pytest.mark.timeout(300)
@pytest.mark.parametrize("seed", [11])
def test_killed_at_20_moments_the_table_is_as_after_one_clean_pass(rig: SinkRig, seed: int) -> None:
    """Method: SIGKILL between 20 seeded numbers of committed records, small batches, then one clean run."""
    chance = random.Random(seed)
    log = history(chance, KILLS * PER_KILL, sessions=60)
    published = 0
    for _ in range(KILLS):
        published += rig.publish(log[published : published + PER_KILL])
        sink = rig.start(SINK__BATCH_ROWS="10")
        wait_for_a_moment(rig, chance, published)
        kill(sink)
        rig.assert_accounted()
    rig.start()
    rig.wait_until_done(len(log))
    rig.assert_as_expected(log)


@pytest.mark.timeout(300)
def test_a_second_sink_that_joins_and_leaves_and_dies_changes_nothing(rig: SinkRig) -> None:
    """Method: one sink stays; a second joins under load, and leaves by SIGTERM or SIGKILL, five times."""
    chance = random.Random(5)
    log = history(chance, 4_000, sessions=60)
    published = rig.publish(log[:500])
    rig.start(SINK__BATCH_ROWS="20")
    rig.wait_until_done(1)
    for turn in range(5):
        published += rig.publish(log[published : published + 700])
        second = rig.start(SINK__BATCH_ROWS="20")
        eventually(lambda sink=second: "partition_placed" in rig.log_of(sink))  # type: ignore[misc]
        if turn % 2:
            kill(second)
        else:
            second.send_signal(signal.SIGTERM)
            assert second.wait(PATIENCE_S) == 0
        rig.assert_accounted()
    rig.wait_until_done(len(log))
    rig.assert_as_expected(log)
