"""The dead-letter topic is missing: it costs the deliveries with bad items, and nothing else waits."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from config.embedded.services import EmbeddedServices
from producers.kafka_errors import MENDABLE
from schemas.codec import decode
from tests.deliveries import as_body, generic_session
from tests.eventually import PATIENCE_S, eventually
from tests.freezing import freeze
from tests.relay_process import SOURCES, RelayProcess, records

pytestmark = pytest.mark.faults
WATCHES = {"watches": {"vendor": "garmin", "tenant": "ours", "schemes": [{"scheme": "none"}]}}
GOOD = {"userId": "watch", "summaryId": "x-1", "startTimeInSeconds": 1_771_103_100, "durationInSeconds": 60}
MIXED = as_body({"sleeps": [GOOD, 7]})
PLAIN = as_body(generic_session())


def settings(topic: str) -> dict[str, str]:
    return {
        "SOURCES": json.dumps(SOURCES | WATCHES),
        "KAFKA__DEAD_LETTERS_TOPIC": f"{topic}.absent",
    }


def make_it(admin: AdminClient, topic: str) -> None:
    (made,) = admin.create_topics([NewTopic(f"{topic}.absent", 1, 1)]).values()
    made.result(PATIENCE_S)


def readiness(relay: RelayProcess) -> dict[str, Any]:
    told: dict[str, Any] = relay.client.get(f"{relay.url}/readyz").json()
    return told


def test_it_costs_only_the_deliveries_that_need_it(
    services: EmbeddedServices, admin: AdminClient, topic: str, tmp_path: Path
) -> None:
    kafka = services.addresses.kafka_bootstrap_servers
    with RelayProcess.running(tmp_path, kafka, topic, **settings(topic)) as relay:
        relay.told("dead_letters_topic_missing")
        refused = relay.post("/webhooks/watches", MIXED)
        assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
        assert relay.told("request", status=503)["reason"] == "dead_letters_refused"
        assert relay.post("/webhooks/watches", as_body({"sleeps": [GOOD]})).status_code == 200
        assert relay.post("/webhooks/plain", PLAIN).status_code == 200
        found = readiness(relay)
        assert found["ready"]
        assert "topics apply" in found["dependencies"]["dead_letters"]["problem"]
        make_it(admin, topic)
        eventually(lambda: relay.post("/webhooks/watches", MIXED).status_code == 200)
        assert [line for line in relay.lines() if line["event"] == "relay_turned_to_spool"] == []
        assert relay.stop() == 0
    assert {one.value() for one in records(kafka, f"{topic}.absent")} == {b"7"}


def test_what_was_spooled_for_it_steps_aside_until_the_next_start(
    services: EmbeddedServices, admin: AdminClient, topic: str, tmp_path: Path
) -> None:
    kafka, broker = services.addresses.kafka_bootstrap_servers, services.pids["kafka-1"]
    freeze(broker)
    try:
        with RelayProcess.running(tmp_path, kafka, topic, **settings(topic)) as relay:
            answer = relay.post("/webhooks/watches", MIXED)
            plain = relay.post("/webhooks/plain", PLAIN)
            assert (answer.status_code, plain.status_code) == (202, 202)
            os.kill(broker, signal.SIGCONT)
            assert set(relay.told("events_set_aside")["reasons"]) <= MENDABLE
            eventually(lambda: "relay_back_to_kafka" in relay.log_text())
            eventually(lambda: relay.metrics()["relay_spool_events"] == 0)
            eventually(lambda: relay.metrics()["relay_spool_set_aside_events"] == 1)
            assert relay.post("/webhooks/plain", PLAIN).status_code == 200
            assert relay.stop() == 0
    finally:
        os.kill(broker, signal.SIGCONT)
    kept = {decode(one.value() or b"").event_id for one in records(kafka, topic)}
    assert kept >= {*answer.json()["event_ids"], *plain.json()["event_ids"]}
    make_it(admin, topic)
    with RelayProcess.running(tmp_path, kafka, topic, **settings(topic)) as relay:
        relay.told("relay_back_to_kafka")
        eventually(lambda: relay.metrics()["relay_spool_set_aside_events"] == 0)
        assert relay.stop() == 0
    assert [one.value() for one in records(kafka, f"{topic}.absent")] == [b"7"]
