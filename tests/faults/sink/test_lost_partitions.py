"""A member that lost its partitions while it slept drops what it knew of them, and comes back."""

import signal
import subprocess

import pytest
from confluent_kafka.admin import AdminClient

from tests.events import made
from tests.eventually import eventually
from tests.freezing import freeze
from tests.groups import members
from tests.integration.test_sink_metrics import base_url, samples
from tests.sink_rig import SinkRig

pytestmark = [pytest.mark.integration, pytest.mark.faults]


@pytest.mark.timeout(120)
def test_after_the_loss_each_partition_is_written_and_shown_by_one_member(
    rig: SinkRig, admin: AdminClient
) -> None:
    """Method: SIGSTOP beyond the session while nothing is under way, a second sink, SIGCONT."""
    log = [made(session=f"s-{n}", user=f"u-{n}") for n in range(120)]
    looks = {"SINK__TOPIC_CHECK_S": "0.2"}  # which would notice what another member writes

    def shown(sink: subprocess.Popen[bytes]) -> set[str]:
        """The partitions whose lag it tells."""
        told = (labels for name, *labels in samples(base_url(rig, sink)) if name == "sink_lag_records")
        return {label for labels in told if rig.topic in labels for label in labels} - {rig.topic}

    def shared() -> bool:
        one, other = shown(sleeper), shown(second)
        return bool(one and other) and one | other == {"0", "1", "2"} and not one & other

    sleeper = rig.start(**looks)
    rig.publish(log[:30])
    rig.wait_until_done(30)
    freeze(sleeper.pid)
    eventually(lambda: not members(admin, rig.topic))
    second = rig.start(**looks)
    rig.publish(log[30:60])
    rig.wait_until_done(60)
    sleeper.send_signal(signal.SIGCONT)
    eventually(lambda: rig.told(sleeper, "partitions_lost", topic=rig.topic))
    rig.publish(log[60:90])
    rig.wait_until_done(90)
    eventually(shared)
    before = rig.told(sleeper, "job_failed")
    rig.publish(log[90:])
    rig.wait_until_done(120)
    eventually(shared)
    assert rig.told(sleeper, "job_failed") == before
    rig.assert_as_expected(log)
    assert rig.sums()["duplicate"] == 0
