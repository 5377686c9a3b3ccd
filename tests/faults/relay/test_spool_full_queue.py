"""Kafka freezes and librdkafka's queue fills: the spool takes all of it at once, long before its time."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from config.embedded.services import EmbeddedServices
from schemas.codec import decode
from tests.deliveries import as_body, generic_session
from tests.eventually import eventually
from tests.freezing import freeze
from tests.relay_process import RelayProcess, records

pytestmark = pytest.mark.faults
AFTER_S = 10.0


def test_a_full_queue_goes_to_the_spool_at_once(
    services: EmbeddedServices, topic: str, tmp_path: Path
) -> None:
    kafka, broker = services.addresses.kafka_bootstrap_servers, services.pids["kafka-1"]
    settings = {
        "RELAY__SPOOL_AFTER_S": str(AFTER_S),
        "KAFKA__OPTIONS": '{"queue.buffering.max.messages": 4}',
    }
    with RelayProcess.running(tmp_path, kafka, topic, **settings) as relay:
        eventually(relay.is_ready)
        assert relay.post("/webhooks/plain", as_body(generic_session())).status_code == 200
        freeze(broker)
        try:
            with ThreadPoolExecutor(12) as pool:
                bodies = [as_body(generic_session(sequence=number)) for number in range(100, 112)]
                answers = list(pool.map(lambda body: relay.post("/webhooks/plain", body), bodies))
        finally:
            os.kill(broker, signal.SIGCONT)
        assert {answer.status_code for answer in answers} == {202}
        assert max(answer.elapsed.total_seconds() for answer in answers) < AFTER_S / 2
        assert relay.told("relay_turned_to_spool")["reason"] == "queue_full"
        relay.told("relay_back_to_kafka")
        assert relay.stop() == 0
    kept = {decode(value).event_id for one in records(kafka, topic) if (value := one.value()) is not None}
    assert {answer.json()["event_ids"][0] for answer in answers} <= kept
