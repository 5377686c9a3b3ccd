"""Kafka is killed under load and comes back: every 200 and 202 is in the topic, in order per key."""

from pathlib import Path

import pytest

from config.embedded.services import EmbeddedServices
from tests.eventually import eventually
from tests.relay_process import RelayProcess, records
from tests.spool_load import Senders, check_promise

pytestmark = pytest.mark.faults


def test_a_killed_kafka_loses_nothing(services: EmbeddedServices, topic: str, tmp_path: Path) -> None:
    kafka = services.addresses.kafka_bootstrap_servers
    senders = Senders()
    with RelayProcess.running(tmp_path, kafka, topic, RELAY__SPOOL_AFTER_S="0.5") as relay:
        with senders.sending(relay):
            eventually(lambda: senders.count(200) > 100)
            services.stop("kafka-1", "kill")
            try:
                eventually(lambda: senders.count(202) > 300)
            finally:
                services.start("kafka-1")
            relay.told("relay_back_to_kafka")
            before = senders.count(200)
            eventually(lambda: senders.count(200) > before + 100)
        eventually(lambda: relay.metrics()["relay_spool_events"] == 0)
        assert relay.stop() == 0
    assert (senders.statuses(), senders.broken) == ({200, 202}, 0)
    check_promise(records(kafka, topic), senders)
