"""SIGTERM while Kafka is away: what is under way is spooled, the end is in time, the next relay drains it."""

import os
import signal
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from config.embedded.services import EmbeddedServices
from tests.deliveries import as_body, generic_session
from tests.eventually import eventually
from tests.freezing import freeze
from tests.relay_process import RelayProcess, records
from tests.spool_load import SAFE, Senders, check_promise

pytestmark = pytest.mark.faults


def test_what_waits_for_kafka_at_the_end_is_spooled(
    services: EmbeddedServices, topic: str, tmp_path: Path
) -> None:
    kafka, broker = services.addresses.kafka_bootstrap_servers, services.pids["kafka-1"]
    settings = {"RELAY__SHUTDOWN_S": "2", "RELAY__SPOOL_AFTER_S": "60"}
    with RelayProcess.running(tmp_path, kafka, topic, **settings) as relay:
        assert relay.post("/webhooks/plain", as_body(generic_session())).status_code == 200
        freeze(broker)
        try:
            with ThreadPoolExecutor(1) as pool:
                waiting = pool.submit(relay.post, "/webhooks/plain", as_body(generic_session(sequence=9)))
                eventually(lambda: relay.metrics()["kafka_producer_queue_messages"] == 1)
                assert relay.stop(within_s=4) == 0
                assert waiting.result().status_code == 202
        finally:
            os.kill(broker, signal.SIGCONT)
    with RelayProcess.running(tmp_path, kafka, topic) as relay:
        relay.told("relay_back_to_kafka")
        assert relay.stop() == 0
    ids = [dict(one.headers() or [])["ce_id"] for one in records(kafka, topic)]
    assert len(set(ids)) == 2
    assert waiting.result().json()["event_ids"][0].encode() in ids


def test_a_relay_that_spools_under_load_ends_in_order(
    services: EmbeddedServices, topic: str, tmp_path: Path
) -> None:
    kafka, broker = services.addresses.kafka_bootstrap_servers, services.pids["kafka-1"]
    senders = Senders()
    with RelayProcess.running(tmp_path, kafka, topic, RELAY__SPOOL_AFTER_S="0.2") as relay:
        freeze(broker)
        try:
            with senders.sending(relay):
                eventually(lambda: senders.count(202) > 200)
                assert relay.stop() == 0
                eventually(lambda: senders.broken == 8)
        finally:
            os.kill(broker, signal.SIGCONT)
    assert senders.statuses() <= SAFE | {503}
    with RelayProcess.running(tmp_path, kafka, topic) as relay:
        relay.told("relay_turned_to_spool", reason="left_from_before")
        relay.told("relay_back_to_kafka")
        assert relay.stop() == 0
    check_promise(records(kafka, topic), senders)
