"""Deliveries of several items: the good ones are events, the bad ones dead letters, all of them safe."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from config.embedded.services import EmbeddedServices
from schemas.codec import decode
from schemas.event import EventType
from tests.deliveries import as_body
from tests.eventually import eventually
from tests.relay_process import RelayProcess, records

pytestmark = pytest.mark.integration
JSON = {"content-type": "application/json"}
TOKEN = "a-token-that-is-never-kept"
START_S = 1_771_103_100


def night(number: int, **told: Any) -> dict[str, Any]:
    whole = {"userId": f"watch-{number}", "summaryId": f"x-{number}", "userAccessToken": TOKEN}
    return whole | {"startTimeInSeconds": START_S, "durationInSeconds": 60 * number} | told


@pytest.fixture
def relay(
    services: EmbeddedServices, topic: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RelayProcess]:
    kafka = services.addresses.kafka_bootstrap_servers
    sources = {"watches": {"vendor": "garmin", "tenant": "ours", "schemes": [{"scheme": "none"}]}}
    with RelayProcess.running(
        tmp_path_factory.mktemp("relay"),
        kafka,
        topic,
        SOURCES=json.dumps(sources),
        KAFKA__DEAD_LETTERS_TOPIC=f"{topic}.dlq",
        RELAY__MAX_BATCH_ITEMS="5",
    ) as running:
        eventually(running.is_ready)
        yield running


def test_bad_items_are_parked_and_listed_and_spoil_nothing(
    relay: RelayProcess, services: EmbeddedServices, topic: str
) -> None:
    told = {
        "sleeps": [night(1), night(2, startTimeInSeconds="noon"), night(3), 7],
        "deregistrations": [night(4)],
    }
    answer = relay.post("/webhooks/watches", as_body(told), JSON)
    assert answer.status_code == 200
    body = answer.json()
    assert (body["status"], len(body["event_ids"])) == ("queued", 3)
    assert [one["index"] for one in body["rejected"]] == [1, 3]
    assert body["rejected"][0]["problems"][0]["path"] == "sleeps[1].startTimeInSeconds"
    kafka = services.addresses.kafka_bootstrap_servers
    events = [decode(record.value() or b"") for record in records(kafka, topic)]
    assert {event.event_id for event in events} == set(body["event_ids"])
    assert {(event.user_id, event.type) for event in events} == {
        ("watch-1", EventType.SESSION_COMPLETE),
        ("watch-3", EventType.SESSION_COMPLETE),
        ("watch-4", EventType.USER_REVOKED),
    }
    parked = records(kafka, f"{topic}.dlq")
    bad = night(2, startTimeInSeconds="noon", userAccessToken=None)
    assert [json.loads(record.value() or b"") for record in parked] == [bad, 7]
    headers: dict[str, Any] = dict(parked[0].headers() or [])
    assert headers["dlq-reason"] == b"not_an_event"
    assert headers["dlq-stage"] == b"relay"
    assert headers["dlq-redrives"] == b"0"
    assert (headers["dlq-source"], headers["dlq-tenant"], headers["dlq-index"]) == (b"watches", b"ours", b"1")
    assert b"sleeps[1].startTimeInSeconds" in headers["dlq-detail"]
    assert b"noon" not in headers["dlq-detail"]
    assert not any(name.startswith("dlq-origin") for name in headers)
    kept = b"".join(record.value() or b"" for record in records(kafka, topic) + parked)
    assert TOKEN.encode() not in kept + json.dumps(relay.lines()).encode()
    line = relay.told("items_parked")
    assert line["items"] == 2
    assert line["request_id"] == answer.headers["x-request-id"]
    assert headers["traceparent"].split(b"-")[1] == line["trace_id"].encode()
    counted = relay.metrics()['relay_events_total{outcome="parked",source="watches",type="UNKNOWN"}']
    assert counted == 2


def test_without_a_good_item_nothing_is_kept(
    relay: RelayProcess, services: EmbeddedServices, topic: str
) -> None:
    answer = relay.post("/webhooks/watches", as_body({"sleeps": [{}, night(1, summaryId=7)]}), JSON)
    assert answer.status_code == 422
    assert {one["path"] for one in answer.json()["problems"]} == {
        "sleeps[0].userId",
        "sleeps[0].startTimeInSeconds",
        "sleeps[1].summaryId",
    }
    kafka = services.addresses.kafka_bootstrap_servers
    assert records(kafka, topic) == records(kafka, f"{topic}.dlq") == []


def test_more_items_than_are_taken_are_413(relay: RelayProcess) -> None:
    told = {"sleeps": [night(number) for number in range(6)]}
    assert relay.post("/webhooks/watches", as_body(told), JSON).status_code == 413
    assert relay.post("/webhooks/watches", as_body({"sleeps": told["sleeps"][:5]}), JSON).status_code == 200
