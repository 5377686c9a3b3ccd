"""Members come, go and freeze under load, with groups of either protocol: the rows are one clean pass's."""

import json
import random
import signal
import subprocess
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec
import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from schemas.event import SessionEvent
from tests.events import history
from tests.eventually import PATIENCE_S, eventually
from tests.freezing import freeze
from tests.groups import PROTOCOLS, let_sessions_last, members
from tests.sink_rig import PATIENT_SESSION, SinkRig

pytestmark = [pytest.mark.integration, pytest.mark.faults]

_MEMBERS = 4
QUICK_MS = 2_000
_PARTITIONS = 8
_SLOWLY = """
CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_sleep(0.5); RETURN NULL; END $$;
CREATE TRIGGER slowly BEFORE UPDATE ON consumer_offsets EXECUTE FUNCTION slowly();
"""
"""So that whenever partitions go, a batch of theirs is under way: two are waited for, 5 s at most."""


@pytest.fixture
def topic(admin: AdminClient) -> str:
    """More partitions than members."""
    name = f"test-{uuid.uuid4()}"
    wanted = [NewTopic(name, _PARTITIONS, 1), NewTopic(f"{name}.dlq", 1, 1)]
    for made in admin.create_topics(wanted).values():
        made.result(PATIENCE_S)
    return name


@pytest.fixture(params=PROTOCOLS)
def protocol(request: pytest.FixtureRequest, admin: AdminClient, topic: str) -> str:
    for group in (topic, f"{topic}.dead-letters"):
        let_sessions_last(admin, group, QUICK_MS)
    return str(request.param)


def of_many_users(count: int, seed: int) -> list[SessionEvent]:
    """Events in every partition."""
    log = history(random.Random(seed), count, sessions=60)
    return [msgspec.structs.replace(event, user_id=f"user of {event.session_id}") for event in log]


@contextmanager
def load(rig: SinkRig, log: Sequence[SessionEvent], per_s: int) -> Iterator[threading.Event]:
    """Publish the log evenly in the background; all that is left at once when the event is set."""
    hurry = threading.Event()

    def publish() -> None:
        for begin in range(0, len(log), 20):
            hurry.wait(20 / per_s)
            rig.publish(log[begin : begin + 20])

    thread = threading.Thread(target=publish)
    thread.start()
    try:
        yield hurry
    finally:
        hurry.set()
        thread.join(60)


def has_a_place(rig: SinkRig, sink: subprocess.Popen[bytes]) -> bool:
    placed = f'"topic": "{rig.topic}", "partition"'
    return any(placed in line and "partition_placed" in line for line in rig.log_of(sink).splitlines())


@pytest.mark.timeout(300)
def test_a_rolling_restart_of_four_members_under_load(
    rig: SinkRig, admin: AdminClient, protocol: str
) -> None:
    """No batch is ever refused by the fence: what is under way ends before its partitions go.

    Method: SIGTERM one after another, each replaced before the next one goes.
    """
    log = of_many_users(6_000, seed=21)
    settings = {
        "SINK__BATCH_ROWS": "200",
        "KAFKA__GROUP_PROTOCOL": protocol,
        "KAFKA__OPTIONS": PATIENT_SESSION,
    }
    let_sessions_last(admin, rig.topic, json.loads(PATIENT_SESSION)["session.timeout.ms"])
    rig.query(_SLOWLY)
    with load(rig, log, per_s=300) as hurry:
        sinks = [rig.start(**settings) for _ in range(_MEMBERS)]
        for sink in sinks:
            eventually(lambda sink=sink: has_a_place(rig, sink))  # type: ignore[misc]
        assert len(members(admin, rig.topic)) == _MEMBERS
        begun = rig.done()
        for old in sinks[:_MEMBERS]:
            old.send_signal(signal.SIGTERM)
            assert old.wait(PATIENCE_S) == 0
            new = rig.start(**settings)
            sinks.append(new)
            eventually(lambda new=new: has_a_place(rig, new))  # type: ignore[misc]
        assert begun < rig.done()
        hurry.set()
    rig.query("DROP TRIGGER slowly ON consumer_offsets")
    rig.wait_until_done(len(log))
    rig.assert_as_expected(log)
    assert [rig.log_of(sink) for sink in sinks if '"job_failed"' in rig.log_of(sink)] == []


@pytest.mark.timeout(180)
def test_partitions_that_were_lost_are_dropped_and_read_by_others(rig: SinkRig, protocol: str) -> None:
    """Method: SIGSTOP a member for longer than its session, SIGCONT once the other has written all."""
    log = of_many_users(1_000, seed=22)
    settings = {"SINK__BATCH_ROWS": "50", "KAFKA__GROUP_PROTOCOL": protocol}
    rig.publish(log[:300])
    frozen, other = rig.start(**settings), rig.start(**settings)
    eventually(lambda: has_a_place(rig, frozen) and has_a_place(rig, other))
    freeze(frozen.pid)
    rig.publish(log[300:700])
    rig.wait_until_done(700)
    frozen.send_signal(signal.SIGCONT)
    eventually(lambda: '"partitions_lost"' in rig.log_of(frozen))
    other.send_signal(signal.SIGTERM)
    assert other.wait(PATIENCE_S) == 0
    rig.publish(log[700:])
    rig.wait_until_done(len(log))
    rig.assert_as_expected(log)
    assert frozen.poll() is None
    assert ('"options_left_out"' in rig.log_of(frozen)) == (protocol == "consumer")
