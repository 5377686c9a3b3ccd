"""`sink --processes N`: members die, are ended, or lose their parent, and the rows are one clean pass's."""

import json
import os
import random
import signal
import subprocess
from typing import Any

import psutil
import pytest
from confluent_kafka.admin import AdminClient

from config.errors import ExitCode
from tests.events import history, made
from tests.eventually import PATIENCE_S, eventually
from tests.groups import members
from tests.ports import free_ports
from tests.sink_rig import SinkRig

pytestmark = [pytest.mark.integration, pytest.mark.faults]


def lines(rig: SinkRig, parent: subprocess.Popen[bytes], event: str) -> list[dict[str, Any]]:
    """What parent and members have logged under this name."""
    whole = rig.log_of(parent).rpartition("\n")[0].splitlines()
    told = (json.loads(line) for line in whole if line.startswith("{"))
    return [line for line in told if line["event"] == event]


def pids(rig: SinkRig, parent: subprocess.Popen[bytes]) -> dict[int, int]:
    """The last process of each member."""
    return {line["which"]: line["pid"] for line in lines(rig, parent, "member_started")}


def placed(rig: SinkRig, parent: subprocess.Popen[bytes]) -> set[int]:
    """Members that read the topic."""
    return {at["member"] for at in lines(rig, parent, "partition_placed") if at["topic"] == rig.topic}


def is_there(pid: int) -> bool:
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


@pytest.mark.timeout(180)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_each_has_a_port_and_a_name_and_one_signal_ends_all(
    rig: SinkRig, admin: AdminClient, number: signal.Signals
) -> None:
    log = history(random.Random(31), 1_000, sessions=40)
    rig.publish(log[:500])
    first = free_ports(3)
    parent = rig.start("--processes", "3", METRICS__SINK_PORT=str(first))
    eventually(lambda: placed(rig, parent) == {1, 2, 3})
    started = {line["member"]: line["port"] for line in lines(rig, parent, "sidecar_started")}
    assert started == {1: first, 2: first + 1, 3: first + 2}
    told = admin.describe_consumer_groups([rig.topic])[rig.topic].result(PATIENCE_S)
    assert {member.client_id for member in told.members} == {f"session-relay-sink-{n}" for n in (1, 2, 3)}
    rig.publish(log[500:])
    children = pids(rig, parent)
    parent.send_signal(number)
    assert parent.wait(30) == ExitCode.DONE
    assert not any(is_there(pid) for pid in children.values())
    assert {line["member"] for line in lines(rig, parent, "sink_stopped")} == {1, 2, 3}
    assert members(admin, rig.topic) == set()
    rig.assert_accounted()
    rig.start()
    rig.wait_until_done(len(log))
    rig.assert_as_expected(log)


@pytest.mark.timeout(180)
def test_a_member_that_is_killed_is_started_again(rig: SinkRig) -> None:
    log = history(random.Random(32), 1_000, sessions=40)
    rig.publish(log[:500])
    parent = rig.start("--processes", "2")
    eventually(lambda: placed(rig, parent) == {1, 2})
    before = pids(rig, parent)
    os.kill(before[2], signal.SIGKILL)
    eventually(lambda: pids(rig, parent)[2] != before[2])
    assert pids(rig, parent)[1] == before[1]
    (died,) = lines(rig, parent, "member_died")
    assert (died["which"], died["status"]) == (2, -signal.SIGKILL)
    assert 0 < died["again_in_s"] <= 0.5
    rig.publish(log[500:])
    rig.wait_until_done(len(log))
    rig.assert_as_expected(log)


@pytest.mark.timeout(180)
def test_a_storm_of_poison_in_one_member_stops_all_for_a_person(rig: SinkRig) -> None:
    """The other may have met the same poison before it is stopped: it is given the partition at once.

    Method: poison in one partition alone.
    """
    rig.publish([made(session=f"s-{n}", user=f"u-{n}") for n in range(30)])
    parent = rig.start("--processes", "2", SINK__STORM_WINDOW="10")
    rig.wait_until_done(30)
    eventually(lambda: placed(rig, parent) == {1, 2})
    rig.publish_bytes([(b"u-1", b"junk")] * 20)
    assert parent.wait(60) == ExitCode.STOPPED_FOR_SAFETY
    (ended,) = lines(rig, parent, "member_ended")
    assert ended["status"] == ExitCode.STOPPED_FOR_SAFETY
    (stopped,) = lines(rig, parent, "members_stopped")
    assert stopped["statuses"][ended["which"] - 1] == ExitCode.STOPPED_FOR_SAFETY
    assert set(stopped["statuses"]) <= {ExitCode.DONE, ExitCode.STOPPED_FOR_SAFETY}
    assert lines(rig, parent, "member_died") == []
    assert not any(is_there(pid) for pid in pids(rig, parent).values())


def test_a_database_without_its_tables_ends_all(rig: SinkRig) -> None:
    with_none = rig.database_url.replace(rig.database_url.rpartition("dbname=")[2].split()[0], "postgres")
    parent = rig.start("--processes", "2", DATABASE_URL=with_none)
    assert parent.wait(60) == ExitCode.USAGE
    assert not any(is_there(pid) for pid in pids(rig, parent).values())


@pytest.mark.timeout(180)
def test_a_parent_that_is_killed_leaves_no_child_and_they_leave_in_order(
    rig: SinkRig, admin: AdminClient
) -> None:
    """Without a word to the group, nobody would have their partitions until the session's time is over."""
    rig.publish([made(session=f"s-{n}", user=f"u-{n}") for n in range(30)])
    parent = rig.start("--processes", "2", KAFKA__OPTIONS="{}")
    eventually(lambda: placed(rig, parent) == {1, 2})
    children = pids(rig, parent)
    parent.kill()
    parent.wait(PATIENCE_S)
    eventually(lambda: not any(is_there(pid) for pid in children.values()))
    assert {line["member"] for line in lines(rig, parent, "sink_stopped")} == {1, 2}
    assert members(admin, rig.topic) == set()
