"""A dead letter that Kafka has not acknowledged holds back the offset of its record."""

import pytest

from tests.events import made
from tests.eventually import eventually
from tests.kafka_wire import PRODUCE, KafkaWire
from tests.sink_rig import SinkRig

pytestmark = [pytest.mark.integration, pytest.mark.faults]


@pytest.mark.timeout(120)
def test_the_offset_waits_for_the_dead_letter_and_the_breaker_of_postgres_hears_nothing(rig: SinkRig) -> None:
    """Method: a proxy swallows what is produced, and nothing else, until the sink has given it up once."""
    rig.publish([made(session="s-1")])
    with KafkaWire(rig.kafka) as wire:
        sink = rig.start(KAFKA__BOOTSTRAP_SERVERS=wire.bootstrap_servers)
        rig.wait_until_done(1)
        (proxy,) = wire.proxies
        proxy.swallowed = frozenset({PRODUCE})
        rig.publish_bytes([(b"u-1", b"poison")])
        rig.publish([made(session="s-2")])
        eventually(lambda: "dead letters are not safe yet" in rig.log_of(sink))
        assert rig.done() == 1
        assert "breaker_changed" not in rig.log_of(sink)
        proxy.heal()  # librdkafka itself would send again after 30 s, on the same connection
        rig.wait_until_done(3, within_s=18)
        eventually(lambda: rig.query("SELECT count(*) FROM dead_letters") == [(1,)])
    assert (rig.sums()["written"], rig.sums()["parked"]) == (2, 1)
    rig.assert_accounted()
