"""Kafka freezes, the spool is off: 503 at the deadline, at once when no more fits; nothing safe is lost."""

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
DEADLINE_S = 2.0


def test_frozen_kafka_costs_503_at_the_deadline_and_never_an_acknowledged_event(
    services: EmbeddedServices, topic: str, tmp_path: Path
) -> None:
    kafka = services.addresses.kafka_bootstrap_servers
    broker = services.pids["kafka-1"]
    settings = {"RELAY__DEADLINE_S": str(DEADLINE_S), "RELAY__SPOOL": "false"}
    with RelayProcess.running(tmp_path, kafka, topic, **settings) as relay:

        def send(number: int) -> tuple[int, str | None, float]:
            answer = relay.post("/webhooks/plain", as_body(generic_session(sequence=number)))
            ids = answer.json().get("event_ids", [None])
            assert (answer.headers.get("retry-after") is not None) == (answer.status_code == 503)
            return answer.status_code, ids[0], answer.elapsed.total_seconds()

        before = [send(number) for number in range(20)]
        freeze(broker)
        try:
            with ThreadPoolExecutor(16) as pool:
                during = list(pool.map(send, range(100, 116)))
            eventually(lambda: not relay.is_ready())
            assert relay.client.get(f"{relay.url}/livez").status_code == 200
        finally:
            os.kill(broker, signal.SIGCONT)
        eventually(relay.is_ready, within_s=30)
        after = [send(number) for number in range(200, 220)]
        found = relay.metrics()
        assert relay.stop() == 0

    assert {status for status, _, _ in before + after} == {200}
    assert {status for status, _, _ in during} == {503}
    assert all(DEADLINE_S * 0.9 < seconds < DEADLINE_S + 2 for _, _, seconds in during)
    acknowledged = {event_id for _, event_id, _ in before + after}
    kept = {
        decode(value).event_id for record in records(kafka, topic) if (value := record.value()) is not None
    }
    assert len(acknowledged) == 40
    assert acknowledged <= kept
    name = 'relay_events_total{{outcome="{}",source="plain",type="SESSION_COMPLETE"}}'
    assert found[name.format("acknowledged")] == 40
    assert found[name.format("unavailable")] == 16


def test_a_full_buffer_is_503_at_once(services: EmbeddedServices, topic: str, tmp_path: Path) -> None:
    kafka = services.addresses.kafka_bootstrap_servers
    broker = services.pids["kafka-1"]
    options = '{"queue.buffering.max.messages": 4}'
    settings = {"RELAY__DEADLINE_S": str(DEADLINE_S), "KAFKA__OPTIONS": options, "RELAY__SPOOL": "false"}
    with RelayProcess.running(tmp_path, kafka, topic, **settings) as relay:
        eventually(relay.is_ready)
        assert relay.post("/webhooks/plain", as_body(generic_session())).status_code == 200
        freeze(broker)
        try:
            with ThreadPoolExecutor(12) as pool:
                answers = list(
                    pool.map(
                        lambda n: relay.post("/webhooks/plain", as_body(generic_session(sequence=n))),
                        range(12),
                    )
                )
        finally:
            os.kill(broker, signal.SIGCONT)
        assert {answer.status_code for answer in answers} == {503}
        quick = [answer for answer in answers if answer.elapsed.total_seconds() < DEADLINE_S / 2]
        assert len(quick) == 8


def test_a_frozen_kafka_does_not_hold_up_the_end(
    services: EmbeddedServices, topic: str, tmp_path: Path
) -> None:
    kafka = services.addresses.kafka_bootstrap_servers
    broker = services.pids["kafka-1"]
    with RelayProcess.running(tmp_path, kafka, topic, RELAY__SHUTDOWN_S="1", RELAY__SPOOL="false") as relay:
        assert relay.post("/webhooks/plain", as_body(generic_session())).status_code == 200
        freeze(broker)
        try:
            with ThreadPoolExecutor(1) as pool:
                waiting = pool.submit(relay.post, "/webhooks/plain", as_body(generic_session(sequence=9)))
                eventually(lambda: relay.metrics()["kafka_producer_queue_messages"] == 1)
                assert relay.stop(within_s=5) == 0
                assert waiting.result().status_code == 503
        finally:
            os.kill(broker, signal.SIGCONT)
