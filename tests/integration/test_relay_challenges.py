"""A vendor that asks whether an address is right, and everybody who only pretends to."""

import json
from collections.abc import Iterator

import pytest

from config.embedded.services import EmbeddedServices
from tests.deliveries import as_body
from tests.relay_process import RelayProcess, new_topic

pytestmark = pytest.mark.integration
OLD, NEW = "the-token-that-goes-1", "the-token-that-comes-2"
SOURCES = {
    "rings": {"vendor": "oura", "schemes": [{"scheme": "none"}], "verification_tokens": [OLD, NEW]},
    "untold": {"vendor": "oura", "schemes": [{"scheme": "none"}]},
    "plain": {"vendor": "generic", "schemes": [{"scheme": "none"}]},
}


@pytest.fixture(scope="module")
def relay(services: EmbeddedServices, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayProcess]:
    kafka = services.addresses.kafka_bootstrap_servers
    directory = tmp_path_factory.mktemp("relay")
    with RelayProcess.running(directory, kafka, new_topic(kafka), SOURCES=json.dumps(SOURCES)) as running:
        yield running


@pytest.mark.parametrize("token", [OLD, NEW])
def test_the_right_token_gets_the_challenge_back(relay: RelayProcess, token: str) -> None:
    asked = {"verification_token": token, "challenge": "3f8a 1c&77"}
    answer = relay.client.get(f"{relay.url}/webhooks/rings", params=asked)
    assert (answer.status_code, answer.json()) == (200, {"challenge": "3f8a 1c&77"})
    assert answer.headers["content-type"] == "application/json"
    head = relay.client.head(f"{relay.url}/webhooks/rings", params=asked)
    assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize(
    ("source", "query"),
    [
        ("rings", ""),
        ("rings", "?verification_token=a-token-in-no-log&challenge=x"),
        ("rings", "?verification_token=&challenge=x"),
        ("rings", f"?verification_token={OLD}"),
        ("rings", f"?verification_token={OLD}&challenge=%ff"),
        ("untold", f"?verification_token={OLD}&challenge=x"),
    ],
)
def test_any_other_is_401_with_the_body_of_all_others(relay: RelayProcess, source: str, query: str) -> None:
    answer = relay.client.get(f"{relay.url}/webhooks/{source}{query}")
    assert answer.status_code == 401
    assert answer.json()["detail"] == "The delivery does not prove where it comes from."
    assert "in-no-log" not in answer.text + json.dumps(relay.lines())


def test_a_vendor_without_a_challenge_is_405(relay: RelayProcess) -> None:
    answer = relay.client.get(f"{relay.url}/webhooks/plain?verification_token={OLD}&challenge=x")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


def test_another_method_is_told_what_there_is(relay: RelayProcess) -> None:
    answer = relay.client.put(f"{relay.url}/webhooks/rings")
    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, POST")


def test_a_ping_and_a_delete_are_taken(relay: RelayProcess) -> None:
    told = {"event_type": "delete", "data_type": "sleep", "object_id": "x", "user_id": "u"}
    assert relay.post("/webhooks/rings", as_body(told)).status_code == 200
    assert relay.post("/webhooks/rings", as_body(told | {"event_type": "update"})).status_code == 200
