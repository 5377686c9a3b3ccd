"""A bit that flips on the way from Kafka ends the sink before it counts; the next sink writes the truth."""

import random

import pytest

from config.errors import ExitCode
from tests.events import history
from tests.eventually import eventually
from tests.kafka_wire import KafkaWire
from tests.sink_rig import SinkRig

pytestmark = [pytest.mark.integration, pytest.mark.faults]


@pytest.mark.timeout(120)
def test_a_corrupt_record_batch_is_never_written_nor_parked(rig: SinkRig) -> None:
    """Method: a proxy before the broker flips the last bit of one batch of a Fetch answer."""
    log = history(random.Random(8), 300)
    rig.publish(log[:100])
    with KafkaWire(rig.kafka) as wire:
        sink = rig.start(KAFKA__BOOTSTRAP_SERVERS=wire.bootstrap_servers)
        rig.wait_until_done(100)
        wire.proxies[0].spoil(1)
        rig.publish(log[100:])
        assert sink.wait(30) == ExitCode.FAILED, rig.log_of(sink)
        assert wire.proxies[0].unspoiled == 0
        assert "CRC32" in rig.log_of(sink) or "BAD_MSG" in rig.log_of(sink)
        rig.assert_accounted()
        rig.start(KAFKA__BOOTSTRAP_SERVERS=wire.bootstrap_servers)
        rig.wait_until_done(len(log))
    rig.assert_as_expected(log)


@pytest.mark.timeout(120)
def test_the_whole_way_to_kafka_goes_through_the_proxy(rig: SinkRig) -> None:
    """Else the test above would prove nothing. Method: silence stops everything, healing mends it."""
    log = history(random.Random(9), 200)
    rig.publish(log[:100])
    with KafkaWire(rig.kafka) as wire:
        rig.start(KAFKA__BOOTSTRAP_SERVERS=wire.bootstrap_servers)
        rig.wait_until_done(100)
        wire.proxies[0].silence()
        rig.publish(log[100:])
        with pytest.raises(AssertionError, match="did not come true"):
            eventually(lambda: rig.done() > 150, within_s=2)
        wire.proxies[0].heal()
        rig.wait_until_done(len(log), within_s=60)
    rig.assert_as_expected(log)
