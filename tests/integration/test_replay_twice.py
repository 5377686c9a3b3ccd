"""Two equal commands at the same moment, as an overlapping cron starts them, are one replay."""

from pathlib import Path

import psycopg
import pytest
from confluent_kafka.admin import AdminClient

from config.errors import ExitCode
from tests.events import made
from tests.eventually import eventually
from tests.replay_commands import new_topic, records, started, told
from tests.sink_rig import SinkRig

pytestmark = pytest.mark.integration
TO_A_TOPIC = ("replay", "--execute", "--topic")
REBUILD = ("replay", "--execute", "--rebuild")
BEGINNING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND wait_event_type = 'Lock' AND query LIKE '%INSERT INTO replays%'"
)


@pytest.mark.parametrize("command", [TO_A_TOPIC, REBUILD], ids=["copy", "rebuild"])
def test_the_second_one_says_so_and_does_nothing(
    rig: SinkRig, admin: AdminClient, tmp_path: Path, command: tuple[str, ...]
) -> None:
    """Method: nobody can note a replay until both have looked for an unfinished one, or one has ended."""
    rig.publish(made(session=f"s-{n}") for n in range(40))
    sink = rig.start()
    rig.wait_until_done(40)
    sink.terminate()
    assert sink.wait(30) == 0
    words = (*command, new_topic(admin)) if command == TO_A_TOPIC else command
    logs = [tmp_path / "first.log", tmp_path / "second.log"]
    with psycopg.connect(rig.database_url) as other:
        other.execute("LOCK TABLE replays IN SHARE ROW EXCLUSIVE MODE")
        both = [started(rig, log, *words) for log in logs]
        eventually(
            lambda: (
                rig.query(BEGINNING) == [(2,)]
                or (rig.query(BEGINNING) == [(1,)] and any(one.poll() is not None for one in both))
            ),
            within_s=60,
        )
        other.commit()
    status = {one.wait(60): log.read_text("utf-8") for one, log in zip(both, logs, strict=True)}
    assert status.keys() == {ExitCode.DONE, ExitCode.FAILED}, status
    assert "another process is at the same replay" in status[ExitCode.FAILED]
    assert [one["state"] for one in told(rig, "replays", "list")["replays"]] == [
        "done" if command == TO_A_TOPIC else "built"
    ]
    if command == TO_A_TOPIC:
        assert len(records(rig, words[-1])) == 40
