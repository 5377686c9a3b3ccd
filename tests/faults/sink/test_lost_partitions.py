"""A member that lost its partitions while it slept drops what it knew of them, and comes back."""

import signal

import pytest
from confluent_kafka.admin import AdminClient

from tests.events import made
from tests.eventually import eventually
from tests.faults.sink.test_postgres_gone import members
from tests.integration.test_sink_metrics import base_url, samples
from tests.sink_rig import SinkRig

pytestmark = [pytest.mark.integration, pytest.mark.faults]


@pytest.mark.timeout(120)
def test_after_the_loss_each_partition_is_written_and_shown_by_one_member(
    rig: SinkRig, admin: AdminClient
) -> None:
    """Method: SIGSTOP beyond the session while nothing is under way, a second sink, SIGCONT."""
    log = [made(session=f"s-{n}", user=f"u-{n}") for n in range(90)]

    def shown() -> list[str]:
        """The partitions whose lag is told, by both together."""
        return sorted(
            partition
            for sink in (sleeper, second)
            for name, *labels in samples(base_url(rig, sink))
            if name == "sink_lag_records" and rig.topic in labels
            for partition in labels
            if partition != rig.topic
        )

    sleeper = rig.start()
    rig.publish(log[:30])
    rig.wait_until_done(30)
    sleeper.send_signal(signal.SIGSTOP)
    eventually(lambda: not members(admin, rig.topic), within_s=30)
    second = rig.start()
    rig.publish(log[30:60])
    rig.wait_until_done(60)
    sleeper.send_signal(signal.SIGCONT)
    eventually(lambda: rig.told(sleeper, "partitions_lost", topic=rig.topic), within_s=30)
    eventually(lambda: len(members(admin, rig.topic)) == 2, within_s=30)
    rig.publish(log[60:])
    rig.wait_until_done(90)
    rig.assert_as_expected(log)
    assert rig.sums()["duplicate"] == 0
    eventually(lambda: shown() == ["0", "1", "2"])
