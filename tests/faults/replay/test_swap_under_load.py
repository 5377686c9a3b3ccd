"""The rebuilt table takes the live one's place while sinks write, and while one of them is being killed."""

import random
import subprocess
from pathlib import Path

import pytest

from tests.events import spread
from tests.eventually import PATIENCE_S
from tests.replay_commands import started
from tests.sink_rig import SinkRig

pytestmark = [pytest.mark.integration, pytest.mark.faults]

VIEW = "CREATE VIEW nights AS SELECT user_id, count(*) FROM sessions GROUP BY 1"
CREATED = "SELECT session_id, created_at FROM sessions ORDER BY 1"


def kill(sink: subprocess.Popen[bytes]) -> None:
    sink.kill()
    sink.wait(PATIENCE_S)


@pytest.mark.timeout(420)
def test_sinks_go_on_and_nothing_is_lost_or_counted_twice(rig: SinkRig, tmp_path: Path) -> None:
    """Method: load before, during and after; small batches; a sink is killed again and again."""
    chance = random.Random(21)
    log = spread(chance, 9_000, sessions=150)
    published = rig.publish(log[:3_000])
    rig.query(VIEW)
    rig.query("COMMENT ON TABLE sessions IS 'the live one'")
    rig.query("GRANT SELECT ON sessions TO PUBLIC")
    sinks = [rig.start(SINK__BATCH_ROWS="50") for _ in range(2)]
    rig.wait_until_done(2_000, within_s=90)
    created = dict(rig.query(CREATED))
    least = rig.query("SELECT count(*) FROM sessions")[0][0]
    command = started(rig, tmp_path / "swap.log", "replay", "--rebuild", "--swap", "--execute")
    while command.poll() is None and published < len(log):
        published += rig.publish(log[published : published + 40])
        seen = rig.query("SELECT count(*) FROM sessions")[0][0]
        assert seen >= least
        least = seen
        if published % 1_000 == 0:
            kill(sinks.pop(0))
            sinks.append(rig.start(SINK__BATCH_ROWS="50"))
    assert command.wait(300) == 0, (tmp_path / "swap.log").read_text("utf-8")
    rig.publish(log[published:])
    rig.wait_until_done(len(log), within_s=120)
    rig.assert_as_expected(log)
    assert rig.query("SELECT state, phase FROM replays") == [("done", "swapped")]
    assert rig.query("SELECT count(*) FROM replaced_1.sessions")[0][0] >= len(created)
    now = dict(rig.query(CREATED))
    assert {session: now[session] for session in created} == created
    assert all(sink.poll() is None for sink in sinks)
    assert "sessions_user" in {name for (name,) in rig.query(INDEXES)}
    assert rig.query("SELECT sum(count) FROM nights") == rig.query("SELECT count(*) FROM sessions")
    assert rig.query("SELECT obj_description('public.sessions'::regclass)") == [("the live one",)]
    assert rig.query("SELECT has_table_privilege('public', 'public.sessions', 'SELECT')") == [(True,)]


INDEXES = "SELECT indexname FROM pg_indexes WHERE schemaname = 'public' AND tablename = 'sessions'"
