"""Several deliveries in one request, proven once, answered each on its own."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.embedded.services import EmbeddedServices
from schemas.codec import decode
from tests.deliveries import as_body, asleep_session, generic_session, signed
from tests.eventually import eventually
from tests.relay_process import SOURCES, RelayProcess, records

pytestmark = pytest.mark.integration
JSON = {"content-type": "application/json"}
PLAIN = "/webhooks/plain/batch"
TOKEN = "a-token-that-only-tests-know-0001"


@pytest.fixture
def relay(
    services: EmbeddedServices, topic: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RelayProcess]:
    kafka = services.addresses.kafka_bootstrap_servers
    token = {"scheme": "url_token", "secrets": [TOKEN]}
    watches = {
        "watches": {"vendor": "garmin", "schemes": [{"scheme": "none"}]},
        "bare": {"vendor": "generic", "schemes": [token]},
    }
    with RelayProcess.running(
        tmp_path_factory.mktemp("relay"),
        kafka,
        topic,
        SOURCES=json.dumps(SOURCES | watches),
        KAFKA__DEAD_LETTERS_TOPIC=f"{topic}.dlq",
        RELAY__MAX_BATCH_ITEMS="50",
    ) as running:
        eventually(running.is_ready)
        yield running


def test_each_delivery_is_answered_in_its_place(
    relay: RelayProcess, services: EmbeddedServices, topic: str
) -> None:
    good = [as_body(generic_session(session_id=f"night-{number}")) for number in range(3)]
    bad = [b'{"type": "SESSION_COMPLETE"}', rb'{"t": "\ud800"}', b'{"a":' * 70 + b"1" + b"}" * 70, b"7"]
    body = b"[ " + b" ,\n".join([good[0], bad[0], good[1], bad[1], bad[2], good[2], bad[3]]) + b" ]"
    answer = relay.post(PLAIN, body, JSON)
    assert (answer.status_code, answer.headers["content-type"]) == (207, "application/json")
    told = answer.json()
    assert [one["status"] for one in told] == [200, 422, 200, 422, 400, 200, 422]
    assert {one["path"] for one in told[1]["problems"]} == {"user_id", "session_id"}
    assert "retry-after" not in answer.headers
    found = {event.event_id: event for event in map(decode, records_of(services, topic))}
    placed = [found[told[index]["event_ids"][0]] for index in (0, 2, 5)]
    assert [event.session_id for event in placed] == ["night-0", "night-1", "night-2"]
    assert [event.raw for event in placed] == good
    assert len(found) == 3


def test_a_delivery_alone_and_in_a_batch_is_the_same_event(relay: RelayProcess) -> None:
    body = as_body(asleep_session())
    alone = relay.post("/webhooks/asleep", body, signed(body)).json()["event_ids"]
    batch = b"[" + body + b"]"
    assert relay.post("/webhooks/asleep/batch", batch, signed(batch)).json()[0]["event_ids"] == alone


def test_one_signature_is_of_the_whole(relay: RelayProcess) -> None:
    body = as_body([asleep_session(), asleep_session("flat")])
    assert relay.post("/webhooks/asleep/batch", body, signed(body)).status_code == 207
    assert relay.post("/webhooks/asleep/batch", body + b" ", signed(body)).status_code == 401
    assert relay.post("/webhooks/asleep/batch", body, JSON).status_code == 401


def test_a_vendors_array_may_be_an_element(relay: RelayProcess) -> None:
    night = {"userId": "u", "startTimeInSeconds": 1_771_103_100}
    answer = relay.post("/webhooks/watches/batch", as_body([{"sleeps": [night, 7]}, {"sleeps": [7]}]), JSON)
    first, second = answer.json()
    assert (first["status"], len(first["event_ids"]), first["rejected"][0]["index"]) == (200, 1, 1)
    assert second["status"] == 422


def test_a_token_in_the_url_stands_before_it(relay: RelayProcess) -> None:
    body = as_body([generic_session()])
    assert relay.post(f"/webhooks/bare/{TOKEN}/batch", body, JSON).json()[0]["status"] == 200
    for path in ("/webhooks/bare/batch", "/webhooks/bare/wrong/batch"):
        assert relay.post(path, body, JSON).status_code == 401
    assert relay.post("/webhooks/plain/wrong/batch", body, JSON).status_code == 404


def test_nothing_in_a_batch_is_nothing_to_do(relay: RelayProcess) -> None:
    answer = relay.post(PLAIN, b" [ ]\n", JSON)
    assert (answer.status_code, answer.json()) == (207, [])


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"", 400),
        (b"[1,]", 400),
        (b'["\xff"]', 400),
        (b"[" * 100_000, 400),
        (b"{}", 422),
        (rb'{"t": "\ud800"}', 422),
        (as_body([generic_session()] * 51), 413),
    ],
)
def test_what_is_no_batch_is_refused_as_a_whole(
    relay: RelayProcess, services: EmbeddedServices, topic: str, body: bytes, status: int
) -> None:
    answer = relay.post(PLAIN, body, JSON)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert records_of(services, topic) == []


def test_another_method_or_source_is_told_so(relay: RelayProcess) -> None:
    answer = relay.client.get(f"{relay.url}{PLAIN}")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert relay.post("/webhooks/nobody/batch", b"[]", JSON).status_code == 404
    assert relay.post("/asleep-webhook/batch", b"[]", JSON).status_code == 401
    relay.post(PLAIN, b"[]", JSON)
    name = 'api_requests_total{endpoint="/webhooks/{source}/batch",method="POST",status_code="207"}'
    assert relay.metrics()[name] == 1


def test_what_kafka_cannot_take_is_503_in_its_place(
    tmp_path: Path, services: EmbeddedServices, topic: str
) -> None:
    """A buffer that holds few of them: some fit and are safe, the others have to come again."""
    kafka = services.addresses.kafka_bootstrap_servers
    options = json.dumps({"queue.buffering.max.messages": 5, "linger.ms": 300})
    with RelayProcess.running(tmp_path, kafka, topic, KAFKA__OPTIONS=options, RELAY__SPOOL="false") as relay:
        eventually(relay.is_ready)
        told = [generic_session(session_id=f"night-{number}") for number in range(20)]
        answer = relay.post(PLAIN, as_body(told), JSON)
    assert answer.status_code == 207
    statuses = [one["status"] for one in answer.json()]
    assert statuses == sorted(statuses)
    assert set(statuses) == {200, 503}
    assert answer.headers["retry-after"]
    ids = {one["event_ids"][0] for one in answer.json() if one["status"] == 200}
    assert {event.event_id for event in map(decode, records_of(services, topic))} == ids


def records_of(services: EmbeddedServices, topic: str) -> list[bytes]:
    found = records(services.addresses.kafka_bootstrap_servers, topic)
    return [record.value() or b"" for record in found]
