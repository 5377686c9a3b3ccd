"""A log of poison, after a bad release: the sink stops before it parks it, and goes on only when told to."""

import subprocess

import pytest
from confluent_kafka.admin import AdminClient

from config.errors import ExitCode
from tests.events import made
from tests.eventually import PATIENCE_S
from tests.faults.sink.test_postgres_gone import parked_letters
from tests.groups import members
from tests.sink_rig import SinkRig

STORM = {"SINK__STORM_WINDOW": "20", "KAFKA__OPTIONS": "{}"}
"""And a session that outlasts a test: a member that did not leave its group is seen there."""
pytestmark = [pytest.mark.integration, pytest.mark.faults]


def assert_stopped(rig: SinkRig, admin: AdminClient, sink: subprocess.Popen[bytes]) -> None:
    assert sink.wait(PATIENCE_S) == ExitCode.STOPPED_FOR_SAFETY, rig.log_of(sink)
    assert "session-relay sink --accept-poison N" in rig.log_of(sink)
    assert '"event": "storm_of_poison"' in rig.log_of(sink)
    # else the next sink would wait for a session's end before it had partitions
    assert members(admin, rig.topic) == members(admin, f"{rig.topic}.dead-letters") == set()


def test_an_undecodable_log_is_not_parked_and_its_offset_does_not_move(
    rig: SinkRig, admin: AdminClient
) -> None:
    rig.publish(made(session=f"s-{n}") for n in range(4))
    rig.publish_bytes((b"u-1", b"junk") for _ in range(60))
    assert_stopped(rig, admin, rig.start(**STORM))
    assert rig.done() == 0
    assert parked_letters(admin, rig) == 0
    assert_stopped(rig, admin, rig.start("--accept-poison", "10", **STORM))
    assert rig.done() == 0
    rig.start("--accept-poison", "60", **STORM)
    rig.wait_until_done(64)
    assert rig.sums()["parked"] == 60
    assert parked_letters(admin, rig) == 60


def test_a_log_that_postgres_rejects_is_a_storm_too(rig: SinkRig, admin: AdminClient) -> None:
    rig.query("ALTER TABLE sessions ADD CHECK (sequence < 600)")
    rig.publish(made(session=f"s-{n}", sequence=601) for n in range(40))
    assert_stopped(rig, admin, rig.start(**STORM))
    assert rig.done() == 0
    assert parked_letters(admin, rig) == 0


def test_less_than_a_window_is_parked(rig: SinkRig) -> None:
    rig.publish_bytes((b"u-1", b"junk") for _ in range(30))
    rig.start()
    rig.wait_until_done(30)
    assert rig.sums()["parked"] == 30
