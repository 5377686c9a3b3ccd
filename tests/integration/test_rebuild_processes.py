"""A rebuild by several processes gives the table that one gives, and goes on when one of them dies."""

import os
import random
import signal
from pathlib import Path

import psycopg
import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions

from config.errors import ExitCode, RelayError, SettingsError
from schemas.codec import encode
from tests.events import Expected, expected_of, history, made, spread
from tests.eventually import PATIENCE_S, eventually
from tests.own_places import PARTITIONS
from tests.replay_commands import children_of, run, started, told
from tests.sink_rig import SinkRig

pytestmark = pytest.mark.integration

COMMAND = ("replay", "--rebuild", "--execute", "--processes", 2)
WINNERS = "SELECT session_id, event_id::text FROM {}.sessions"
SUMS = (
    "SELECT sum(written + duplicate + stale + passed), sum(parked), sum(next_offset) FROM {}.consumer_offsets"
)

WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND application_name = 'session-relay rebuild' AND wait_event_type = 'Lock'"
)


def winners(expected: Expected) -> dict[str, str]:
    return {session: winner for session, (winner, _) in expected.rows.items()}


@pytest.mark.timeout(180)
def test_the_table_is_the_same_though_sessions_are_in_two_partitions(rig: SinkRig) -> None:
    """Method: a few sessions are told under two users each, so that both processes write the same rows."""
    chance = random.Random(5)
    log = spread(chance, 2_000, sessions=80)
    shared = history(chance, 1_000, sessions=5, prefix="shared")
    rig.publish(log)
    rig.publish_bytes((chance.choice([b"a", b"b", b"c", b"d"]), encode(event)) for event in shared)
    rig.publish_bytes([(b"u-1", b"poison")])
    rig.let_write(len(log) + len(shared) + 1)
    done = told(rig, *COMMAND)
    assert (done["difference"]["only_in_log"], done["difference"]["only_in_table"]) == (0, 0)
    now = dict(rig.query(WINNERS.format("rebuild_1")))
    assert now == dict(rig.query(WINNERS.format("public"))) == winners(expected_of([*log, *shared]))
    assert rig.query(SUMS.format("rebuild_1")) == rig.query(
        f"{SUMS.format('public')} WHERE topic = '{rig.topic}'"
    )


@pytest.mark.timeout(180)
def test_a_session_that_another_process_changes_meanwhile_is_folded_again(
    rig: SinkRig, tmp_path: Path
) -> None:
    """Method: the row is changed in a transaction that ends only when the fold waits for it."""
    rig.publish([made(session="s-1")])
    rig.let_write(1)
    told(rig, "replay", "--rebuild", "--execute")
    last = made(session="s-1", sequence=3)
    others = [made(session=f"other-{n}", user=f"other-{n}") for n in range(20)]  # for the second process
    rig.publish([made(session="s-1", sequence=2), last, *others])  # s-1 twice: folded here, not by Postgres
    rig.let_write(23)
    with psycopg.connect(rig.database_url) as other:
        other.execute("UPDATE rebuild_1.sessions SET kafka_offset = kafka_offset + 100")
        command = started(rig, tmp_path / "rebuild.log", *COMMAND)
        eventually(lambda: rig.query(WAITING) == [(1,)])
        other.commit()
    assert command.wait(60) == ExitCode.DONE, (tmp_path / "rebuild.log").read_text("utf-8")
    assert dict(rig.query(WINNERS.format("rebuild_1")))["s-1"] == last.event_id


def test_added_partitions_make_a_rebuild_begin_anew(rig: SinkRig, admin: AdminClient) -> None:
    rig.publish([made(session="s-1")])
    rig.let_write(1)
    told(rig, "replay", "--rebuild", "--execute")
    for one in admin.create_partitions([NewPartitions(rig.topic, PARTITIONS + 1)]).values():
        one.result(PATIENCE_S)
    error = run(rig, "replay", "--rebuild", "--execute").exception
    assert isinstance(error, RelayError)
    assert f"partition {PARTITIONS} was added since" in str(error)
    told(rig, "replays", "cancel", 1, "--execute")
    assert told(rig, "replay", "--rebuild", "--execute")["replay"] == 2


@pytest.mark.timeout(180)
def test_one_that_is_killed_ends_all_and_the_same_command_goes_on(rig: SinkRig, tmp_path: Path) -> None:
    log = spread(random.Random(6), 3_000, sessions=80)
    rig.publish(log)
    rig.let_write(len(log))
    command = started(rig, tmp_path / "rebuild.log", *COMMAND, "--rate", 200)
    shadow = "SELECT count(*) FROM pg_namespace WHERE nspname = 'rebuild_1'"
    eventually(lambda: rig.query(shadow) == [(1,)] and len(children_of(command.pid)) == 2)
    eventually(lambda: rig.query("SELECT count(*) > 0 FROM rebuild_1.sessions") == [(True,)])
    children = children_of(command.pid)
    os.kill(children[0], signal.SIGKILL)
    assert command.wait(30) == ExitCode.FAILED
    assert [child for child in children if Path(f"/proc/{child}").exists()] == []
    assert "the same command goes on" in (tmp_path / "rebuild.log").read_text("utf-8")
    assert told(rig, "replays", "list")["replays"][0]["state"] == "interrupted"
    done = told(rig, *COMMAND)
    assert done["replay"] == 1
    assert dict(rig.query(WINNERS.format("rebuild_1"))) == winners(expected_of(log))


def test_only_a_rebuild_has_processes(rig: SinkRig) -> None:
    assert isinstance(run(rig, "replay", "--topic", "x", "--processes", 2).exception, SettingsError)
