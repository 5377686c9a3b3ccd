"""A Kafka that names no broker for a moment, as one may that stops, is found again by those who knew it.

librdkafka drops all brokers then, and may never ask those of its settings again (its issue 5301): it does or
does not, as two of its threads come to it. Told never to, it is stranded for certain.
"""

import random
from pathlib import Path

import pytest

from config.embedded.services import EmbeddedServices
from tests.events import history
from tests.eventually import eventually
from tests.kafka_wire import KafkaWire
from tests.relay_behind_wire import NumberedRelay
from tests.sink_rig import SinkRig

pytestmark = pytest.mark.faults
STRANDED = """{
    "metadata.recovery.strategy": "none", "topic.metadata.refresh.interval.ms": 500,
    "session.timeout.ms": 3000, "heartbeat.interval.ms": 300
}"""


@pytest.mark.timeout(180)
def test_a_sink_begins_anew_with_the_brokers_of_its_settings(rig: SinkRig) -> None:
    """Method: a proxy before the broker leaves it out of every answer about topics for a few seconds."""
    log = history(random.Random(8), 300)
    rig.publish(log[:100])
    with KafkaWire(rig.kafka) as wire:
        sink = rig.start(KAFKA__BOOTSTRAP_SERVERS=wire.bootstrap_servers, KAFKA__OPTIONS=STRANDED)
        rig.wait_until_done(100)
        (proxy,) = wire.proxies
        proxy.brokerless = True
        eventually(lambda: rig.told(sink, "kafka_brokers_forgotten", topic=rig.topic))
        proxy.heal()
        rig.publish(log[100:])
        rig.wait_until_done(len(log))
        rig.assert_as_expected(log)
        assert sink.poll() is None


@pytest.mark.timeout(120)
def test_a_relay_at_rest_begins_anew_with_the_brokers_of_its_settings(
    services: EmbeddedServices, topic: str, tmp_path: Path
) -> None:
    """Method: the same, while nothing is sent."""
    kafka = services.addresses.kafka_bootstrap_servers
    with NumberedRelay.running(tmp_path, kafka, topic, KAFKA__OPTIONS=STRANDED) as ours:
        ours.proxy.brokerless = True
        ours.relay.told("kafka_brokers_forgotten")
        ours.proxy.heal()
        eventually(lambda: ours.send(1) == 200)
        assert ours.relay.stop() == 0
    assert ours.stored() == [0, 1]


@pytest.mark.timeout(120)
def test_a_relay_under_load_begins_anew_with_the_brokers_of_its_settings(
    services: EmbeddedServices, topic: str, tmp_path: Path
) -> None:
    """Method: the same, until the spool has taken over; both of the relay's producers are in trouble."""
    kafka = services.addresses.kafka_bootstrap_servers
    settings = {"RELAY__SPOOL_AFTER_S": "0.5", "KAFKA__OPTIONS": STRANDED}
    with NumberedRelay.running(tmp_path, kafka, topic, **settings) as ours:
        ours.proxy.brokerless = True
        eventually(lambda: ours.send(1) == 202)
        ours.proxy.heal()
        eventually(lambda: ours.relay.metrics()["relay_spool_events"] == 0)
        eventually(lambda: ours.send(2) == 200)
        assert ours.relay.stop() == 0
    assert ours.stored() == [0, 1, 2]
