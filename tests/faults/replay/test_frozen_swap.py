"""A swap that is frozen while it holds its locks holds up nobody for long, and can be done again."""

import os
import random
import signal
from pathlib import Path

import pytest

from config.errors import ExitCode
from tests.events import spread
from tests.eventually import eventually
from tests.freezing import freeze
from tests.replay_commands import started
from tests.sink_rig import SinkRig

pytestmark = [pytest.mark.integration, pytest.mark.faults]

SWAP = ("replay", "--rebuild", "--swap", "--execute")
SLOWLY = """
CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(1); RETURN NEW; END $$;
CREATE TRIGGER slowly BEFORE UPDATE ON replays FOR EACH ROW
    WHEN (NEW.phase = 'swapped') EXECUTE FUNCTION slowly();
"""
"""So that there is a moment in which the locks are held."""
ASLEEP = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND datname = current_database()"


def test_sinks_go_on_when_a_swap_is_frozen_behind_its_locks(rig: SinkRig, tmp_path: Path) -> None:
    log = spread(random.Random(9), 900, sessions=60)
    rig.publish(log[:600])
    rig.start()
    rig.wait_until_done(600)
    rig.query(SLOWLY)
    swap = started(rig, tmp_path / "swap.log", *SWAP)
    eventually(lambda: rig.query(ASLEEP) == [(1,)])
    freeze(swap.pid)
    try:
        rig.publish(log[600:])
        rig.wait_until_done(len(log), within_s=40)
    finally:
        os.kill(swap.pid, signal.SIGCONT)
    assert swap.wait(60) == ExitCode.UNREACHABLE, (tmp_path / "swap.log").read_text("utf-8")
    rig.query("DROP TRIGGER slowly ON replays")
    assert started(rig, tmp_path / "swap.log", *SWAP).wait(120) == 0
    rig.assert_as_expected(log)
    assert rig.query("SELECT state, phase FROM replays") == [("done", "swapped")]
