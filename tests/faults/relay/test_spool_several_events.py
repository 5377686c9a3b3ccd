"""Kafka freezes: deliveries of several events are spooled whole, bad items too, and a batch is told so."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from config.embedded.services import EmbeddedServices
from schemas.codec import decode
from tests.deliveries import as_body, generic_session
from tests.eventually import eventually
from tests.freezing import freeze
from tests.relay_process import SOURCES, RelayProcess, records

pytestmark = pytest.mark.faults
JSON = {"content-type": "application/json"}
WATCHES = {"watches": {"vendor": "garmin", "tenant": "ours", "schemes": [{"scheme": "none"}]}}


def nights(first: int, count: int) -> list[dict[str, Any]]:
    start = {"startTimeInSeconds": 1_771_103_100, "durationInSeconds": 60}
    return [{"userId": "watch", "summaryId": f"x-{first + one}"} | start for one in range(count)]


def test_what_is_spooled_of_several_events_all_reaches_its_topic(
    services: EmbeddedServices, topic: str, tmp_path: Path
) -> None:
    kafka, broker = services.addresses.kafka_bootstrap_servers, services.pids["kafka-1"]
    settings = {
        "SOURCES": json.dumps(SOURCES | WATCHES),
        "KAFKA__DEAD_LETTERS_TOPIC": f"{topic}.dlq",
        "RELAY__SPOOL_AFTER_S": "0.2",
    }
    with RelayProcess.running(tmp_path, kafka, topic, **settings) as relay:
        eventually(relay.is_ready)
        freeze(broker)
        try:
            safe = []
            for first in (0, 10):  # at the turn, and behind it
                told = {"sleeps": [*nights(first, 2), 7, *nights(first + 2, 1)]}
                answer = relay.post("/webhooks/watches", as_body(told), JSON)
                body = answer.json()
                assert (answer.status_code, body["status"], len(body["event_ids"])) == (202, "spooled", 3)
                assert [one["index"] for one in body["rejected"]] == [2]
                safe += body["event_ids"]
            batch = [generic_session(session_id=f"night-{one}", sequence=one) for one in range(3)]
            answer = relay.post("/webhooks/plain/batch", as_body([*batch, 7]), JSON)
            assert answer.status_code == 207
            assert [one["status"] for one in answer.json()] == [202, 202, 202, 422]
            assert "retry-after" not in answer.headers
            safe += [one["event_ids"][0] for one in answer.json()[:3]]
        finally:
            os.kill(broker, signal.SIGCONT)
        relay.told("relay_back_to_kafka")
        counted = relay.metrics()
        last = as_body({"sleeps": nights(20, 1)})
        eventually(lambda: relay.post("/webhooks/watches", last, JSON).status_code == 200)
        assert counted['relay_events_total{outcome="parked",source="watches",type="UNKNOWN"}'] == 2
        of_watches = 'relay_events_total{outcome="spooled",source="watches",type="SESSION_COMPLETE"}'
        assert counted[of_watches] == 6
    found = [decode(record.value() or b"") for record in records(kafka, topic)]
    first_seen = list(dict.fromkeys(event.event_id for event in found))
    assert set(safe) <= set(first_seen)
    of_one_user = [one for one in first_seen if one in safe[:6]]
    assert of_one_user == safe[:6]
    parked = records(kafka, f"{topic}.dlq")
    assert {record.value() for record in parked} == {b"7"}
    assert {record.key() for record in parked} == {None}
    assert len(parked) >= 2
