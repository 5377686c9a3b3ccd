"""Kafka freezes under load: 202 in time and then quickly, the spool empties under load, all in order."""

import os
import signal
import time
from pathlib import Path

import pytest

from config.embedded.services import EmbeddedServices
from tests.eventually import eventually
from tests.freezing import freeze
from tests.relay_process import RelayProcess, records
from tests.spool_load import Senders, check_promise

pytestmark = pytest.mark.faults
AFTER_S = 1.0
BUSY_S = 10.0
"""Granted to a busy machine; `python -m benchmarks --only spool` measures how long answers take."""


def test_a_frozen_kafka_costs_one_wait_and_nothing_else(
    services: EmbeddedServices, topic: str, tmp_path: Path
) -> None:
    kafka, broker = services.addresses.kafka_bootstrap_servers, services.pids["kafka-1"]
    senders = Senders()
    with RelayProcess.running(tmp_path, kafka, topic, RELAY__SPOOL_AFTER_S=str(AFTER_S)) as relay:
        with senders.sending(relay):
            eventually(lambda: senders.count(200) > 100)
            frozen_s = time.monotonic()
            freeze(broker)
            try:
                eventually(lambda: senders.count(202) > 500)
                eventually(lambda: relay.metrics()["relay_spool_events"] > 300)
                assert relay.is_ready()  # the spool stands in for Kafka
                woken_s = time.monotonic()
            finally:
                os.kill(broker, signal.SIGCONT)
            relay.told("relay_back_to_kafka")  # in spite of the load
            before = senders.count(200)
            eventually(lambda: senders.count(200) > before + 100)
        eventually(lambda: relay.metrics()["relay_spool_events"] == 0)
        found = relay.metrics()
        assert relay.stop() == 0

    assert (senders.statuses(), senders.broken) == ({200, 202}, 0)
    away = sorted(one.took_s for one in senders.answers if frozen_s < one.begun_s < woken_s)
    assert away[-1] < AFTER_S + BUSY_S
    later = sorted(one.took_s for one in senders.answers if frozen_s + AFTER_S + 0.2 < one.begun_s < woken_s)
    assert later[len(later) // 2] < AFTER_S  # nobody waits for Kafka again
    name = 'relay_events_total{{outcome="{}",source="plain",type="SESSION_COMPLETE"}}'
    assert found[name.format("spooled")] == senders.count(202)
    assert found["relay_spool_bytes"] == 0
    check_promise(records(kafka, topic), senders)
