import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from config.embedded.services import EmbeddedServices
from tests.deliveries import SESSION, USER, as_body, asleep_inference, asleep_session, generic_session, signed
from tests.eventually import eventually
from tests.relay_process import RelayProcess, new_topic

pytestmark = pytest.mark.integration
GOOD = as_body(asleep_inference())
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def relay(services: EmbeddedServices, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayProcess]:
    kafka = services.addresses.kafka_bootstrap_servers
    directory = tmp_path_factory.mktemp("relay")
    with RelayProcess.running(directory, kafka, new_topic(kafka), RELAY__MAX_BODY_BYTES="20000") as running:
        eventually(running.is_ready)
        yield running


def problem(
    relay: RelayProcess, path: str, body: bytes, headers: Mapping[str, str | bytes]
) -> tuple[int, dict[str, Any]]:
    answer = relay.post(path, body, headers)
    assert answer.headers["content-type"] == "application/problem+json"
    told: dict[str, Any] = answer.json()
    assert told["status"] == answer.status_code
    assert told["request_id"] == answer.headers["x-request-id"]
    return answer.status_code, told


@pytest.mark.parametrize("path", ["/webhooks/asleep", "/asleep-webhook"])
@pytest.mark.parametrize("spelling", ["documented", "callback", "flat"])
def test_every_spelling_is_acknowledged_with_its_event_id(
    relay: RelayProcess, path: str, spelling: str
) -> None:
    body = as_body(asleep_session(spelling))
    answer = relay.post(path, body, signed(body, None))
    assert answer.status_code == 200
    assert answer.json()["status"] == "queued"
    (event_id,) = answer.json()["event_ids"]
    assert re.fullmatch(r"[0-9a-f-]{36}", event_id)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-api-key": "wrong"},
        {"x-api-key": ""},
        {"x-signature": "0" * 64},
        {"x-signature": "😴"},
        {"x-api-key": "wröng"},
    ],
)
def test_every_cause_of_401_has_one_answer(relay: RelayProcess, headers: dict[str, str]) -> None:
    sent = {**signed(GOOD), **headers} if headers else JSON
    answer = relay.post("/webhooks/asleep", GOOD, {k: v.encode() for k, v in sent.items()})
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
    assert answer.headers["www-authenticate"] == "Webhook"
    told = answer.json()
    assert told.pop("request_id") == answer.headers["x-request-id"]
    assert told == {
        "type": "about:blank",
        "title": "Unauthorized",
        "status": 401,
        "detail": "The delivery does not prove where it comes from.",
    }


def test_a_signature_of_other_bytes_is_401(relay: RelayProcess) -> None:
    assert problem(relay, "/webhooks/asleep", GOOD + b" ", signed(GOOD))[0] == 401


def test_authentication_comes_before_parsing(relay: RelayProcess) -> None:
    assert problem(relay, "/webhooks/asleep", b"not json", JSON)[0] == 401


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"a": NaN}', b"[" * 10_000])
def test_what_is_not_json_is_400(relay: RelayProcess, body: bytes) -> None:
    assert problem(relay, "/webhooks/asleep", body, signed(body))[0] == 400


def test_json_that_is_no_event_is_422_with_every_problem(relay: RelayProcess) -> None:
    body = as_body({"type": "SESSION_COMPLETE", "sequence": 1.5, "occurred_at": "yesterday"})
    status, told = problem(relay, "/webhooks/plain", body, JSON)
    assert status == 422
    assert {one["path"] for one in told["problems"]} == {"user_id", "session_id", "sequence", "occurred_at"}
    assert "yesterday" not in json.dumps(told)


def test_another_user_in_the_header_is_422(relay: RelayProcess) -> None:
    status, told = problem(relay, "/webhooks/asleep", GOOD, signed(GOOD, "somebody-else"))
    assert (status, told["problems"][0]["path"]) == (422, "x-user-id")


def test_a_user_id_that_no_header_can_carry_is_422(relay: RelayProcess) -> None:
    assert problem(relay, "/webhooks/asleep", GOOD, signed(GOOD) | {"x-user-id": USER.encode()})[0] == 422


def test_an_unknown_event_is_accepted(relay: RelayProcess) -> None:
    body = as_body({"event": "NEVER_HEARD_OF", "data": {"user_id": USER, "session_id": SESSION}})
    assert relay.post("/webhooks/asleep", body, signed(body)).status_code == 200


@pytest.mark.parametrize(
    ("media", "status"),
    [
        ("application/json", 200),
        ("Application/JSON; charset=utf-8", 200),
        ("application/cloudevents+json", 200),
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("application/jsonp", 415),
        ("", 415),
    ],
)
def test_only_json_is_taken(relay: RelayProcess, media: str, status: int) -> None:
    body = as_body(generic_session())
    assert relay.post("/webhooks/plain", body, {"content-type": media}).status_code == status


def test_an_undeclared_body_is_json(relay: RelayProcess) -> None:
    body = as_body(generic_session())
    assert relay.post("/webhooks/plain", body).status_code == 200


def test_too_much_is_413_announced_or_not(relay: RelayProcess) -> None:
    big = b" " * 20_001
    assert problem(relay, "/webhooks/plain", big, JSON)[0] == 413
    pieces = (big[start : start + 1_000] for start in range(0, len(big), 1_000))
    answer = relay.client.post(f"{relay.url}/webhooks/plain", content=pieces, headers=JSON)
    assert answer.status_code == 413


def test_pieces_up_to_the_limit_are_taken(relay: RelayProcess) -> None:
    body = as_body(generic_session()).ljust(20_000)
    pieces = (body[start : start + 999] for start in range(0, len(body), 999))
    assert relay.client.post(f"{relay.url}/webhooks/plain", content=pieces, headers=JSON).status_code == 200


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/webhooks",
        "/webhooks/",
        "/webhooks/nobody",
        "/webhooks/asleep/",
        "/WEBHOOKS/asleep",
        "/%00",
        "//",
    ],
)
def test_what_is_not_there_is_404(relay: RelayProcess, path: str) -> None:
    assert problem(relay, path, GOOD, signed(GOOD))[0] == 404


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"])
def test_another_method_is_405_and_told_which(relay: RelayProcess, method: str) -> None:
    answer = relay.client.request(method, f"{relay.url}/webhooks/asleep")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


@pytest.mark.parametrize(
    "path", ["/livez", "/live", "/health/live", "/readyz", "/ready", "/health", "/health/ready"]
)
def test_health_is_told_on_the_public_port_too(relay: RelayProcess, path: str) -> None:
    assert relay.client.get(f"{relay.url}{path}").status_code == 200
    assert relay.client.head(f"{relay.url}{path}").content == b""
    assert relay.post(path, b"").headers["allow"] == "GET, HEAD"


@pytest.mark.parametrize("sane", ["abc", "!" * 128])
def test_a_sane_request_id_is_kept(relay: RelayProcess, sane: str) -> None:
    answer = relay.post("/webhooks/asleep", GOOD, signed(GOOD) | {"x-request-id": sane})
    assert answer.headers["x-request-id"] == sane


@pytest.mark.parametrize("odd", ["", "a b", "x" * 129, "ümlaut"])
def test_any_other_request_id_is_replaced(relay: RelayProcess, odd: str) -> None:
    headers = signed(GOOD) | {"x-request-id": odd.encode()}
    given = relay.post("/webhooks/asleep", GOOD, headers).headers["x-request-id"]
    assert given != odd
    assert re.fullmatch(r"[0-9a-f]{16,}", given)


def test_refusals_are_logged_without_what_was_sent_and_successes_are_not(relay: RelayProcess) -> None:
    marked = as_body(
        {"type": "SESSION_COMPLETE", "user_id": "user-in-no-log", "session_id": ["session-in-no-log"]}
    )
    relay.post("/webhooks/plain", marked, JSON | {"x-request-id": "logged-once"})
    relay.post("/path-in-no-log?query-in-no-log", marked, JSON | {"x-request-id": "logged-too"})
    relay.post("/webhooks/asleep", GOOD, signed(GOOD) | {"x-request-id": "never-logged"})
    line = relay.told("request", request_id="logged-once")
    assert (line["method"], line["route"], line["status"], line["source"]) == (
        "POST",
        "/webhooks/{source}",
        422,
        "plain",
    )
    assert line["duration_ms"] >= 0
    assert relay.told("request", request_id="logged-too")["route"] == "other"
    told = json.dumps(relay.lines())
    assert "in-no-log" not in told
    assert "never-logged" not in told
    assert USER not in told


def test_what_happens_is_counted_under_closed_labels(relay: RelayProcess) -> None:
    def count(source: str, kind: str, outcome: str) -> float:
        name = f'relay_events_total{{outcome="{outcome}",source="{source}",type="{kind}"}}'
        return relay.metrics().get(name, 0.0)

    labels = [
        ("asleep", "INFERENCE_COMPLETE", "acknowledged"),
        ("asleep", "UNKNOWN", "unauthenticated"),
        ("plain", "UNKNOWN", "invalid"),
    ]
    before = [count(*one) for one in labels]
    relay.post("/webhooks/asleep", GOOD, signed(GOOD))
    relay.post("/webhooks/asleep", GOOD, JSON)
    relay.post("/webhooks/plain", b"{}", JSON)
    relay.client.request("BREW", f"{relay.url}/nowhere")
    assert [count(*one) for one in labels] == [value + 1 for value in before]
    found = relay.metrics()
    assert found['api_requests_total{endpoint="other",method="OTHER",status_code="404"}'] >= 1
    assert found['api_request_duration_seconds_count{endpoint="/webhooks/{source}",method="POST"}'] >= 3
    eventually(lambda: relay.metrics()["kafka_producer_up"] == 1)  # told once a second
    eventually(lambda: relay.metrics()['event_age_seconds_count{stage="published"}'] >= before[0] + 1)
