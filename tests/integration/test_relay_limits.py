"""429 over HTTP: whose requests count, in which order, and what the sender is told."""

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from config.embedded.services import EmbeddedServices
from tests.deliveries import as_body, asleep_inference, generic_session, signed
from tests.eventually import eventually
from tests.relay_process import SOURCES, RelayProcess, new_topic

pytestmark = pytest.mark.integration
GOOD = as_body(asleep_inference())
PLAIN = as_body(generic_session())
JSON = {"content-type": "application/json"}


@pytest.fixture(scope="module")
def kafka(services: EmbeddedServices) -> str:
    return services.addresses.kafka_bootstrap_servers


@contextmanager
def limited(kafka: str, directory: Path, **settings: str) -> Iterator[RelayProcess]:
    """A relay that counts by itself; each of its clients' requests of a day count."""
    alone = {"RELAY__LIMIT_SHARE_MS": "0", **settings}
    with RelayProcess.running(directory, kafka, new_topic(kafka), **alone) as running:
        eventually(running.is_ready)
        yield running


def test_by_address_and_before_authentication(kafka: str, tmp_path: Path) -> None:
    """Wrong keys count too, and so do all sources together; what is too large is refused before it counts."""
    with limited(kafka, tmp_path, RELAY__LIMIT_PER_ADDRESS="4/day", RELAY__MAX_BODY_BYTES="20000") as relay:

        def status(path: str, body: bytes, headers: dict[str, str]) -> int:
            return relay.post(path, body, headers).status_code

        assert status("/webhooks/asleep", b" " * 20_001, signed(GOOD)) == 413
        assert status("/webhooks/asleep", GOOD, JSON) == 401
        assert status("/webhooks/asleep", b"not json", signed(b"not json")) == 400
        assert status("/webhooks/plain", PLAIN, JSON) == 200
        assert relay.client.get(f"{relay.url}/webhooks/asleep").status_code == 405
        assert status("/webhooks/asleep", GOOD, JSON) == 429  # not 401
        assert status("/webhooks/plain/batch", b"[]", JSON) == 429
        assert relay.client.get(f"{relay.url}/webhooks/asleep").status_code == 429
        assert status("/webhooks/asleep", b" " * 20_001, signed(GOOD)) == 413  # still first
        assert status("/webhooks/nobody", GOOD, JSON) == 404
        assert relay.is_ready()  # probes do not count

        answer = relay.post("/webhooks/asleep", GOOD, signed(GOOD))
        told = answer.json()
        after_s = int(answer.headers["retry-after"])
        assert answer.headers["content-type"] == "application/problem+json"
        assert (told["status"], told["title"]) == (429, "Too Many Requests")
        assert told["request_id"] == answer.headers["x-request-id"]
        assert 86_400 - 4_320 < after_s <= 86_400 + 4_320
        assert answer.headers["ratelimit-policy"] == '"address";q=4;w=86400'
        assert answer.headers["ratelimit"] == f'"address";r=0;t={after_s}'
        assert "127.0.0.1" not in answer.text
        assert relay.metrics()['relay_limited_total{by="address"}'] == 4
        assert relay.told("request", status=429)["source"] == "asleep"


def test_by_source_and_only_what_is_proven(kafka: str, tmp_path: Path) -> None:
    """Nobody can use up a source's requests without its key; one source does not slow another."""
    sources = {**SOURCES, "free": {**SOURCES["plain"], "limit": "off"}}
    sources["plain"] = {**SOURCES["plain"], "limit": "1/day"}
    with limited(kafka, tmp_path, RELAY__LIMIT_PER_SOURCE="2/day", SOURCES=json.dumps(sources)) as relay:
        assert [relay.post("/webhooks/asleep", GOOD, JSON).status_code for _ in range(5)] == [401] * 5
        proven = [relay.post("/webhooks/asleep", GOOD, signed(GOOD)) for _ in range(3)]
        assert [answer.status_code for answer in proven] == [200, 200, 429]
        assert proven[-1].headers["ratelimit-policy"] == '"source";q=2;w=86400'
        assert relay.post("/webhooks/asleep", b"no", signed(b"no")).status_code == 429  # before parsing
        assert relay.post("/webhooks/asleep", GOOD, JSON).status_code == 401
        batch = b"[" + GOOD + b"]"
        assert relay.post("/webhooks/asleep/batch", batch, signed(batch)).status_code == 429
        plain = [relay.post("/webhooks/plain", PLAIN).status_code for _ in range(2)]
        assert plain == [200, 429]
        free = [relay.post("/webhooks/free", PLAIN).status_code for _ in range(9)]
        assert free == [200] * 9
        found = relay.metrics()
        assert found['relay_limited_total{by="source"}'] == 4
        name = 'relay_events_total{outcome="limited",source="asleep",type="UNKNOWN"}'
        assert found[name] == 3


def test_a_batch_is_one_request_of_its_source(kafka: str, tmp_path: Path) -> None:
    with limited(kafka, tmp_path, RELAY__LIMIT_PER_SOURCE="1/day") as relay:
        batch = b"[" + b",".join([PLAIN] * 5) + b"]"
        answer = relay.post("/webhooks/plain/batch", batch)
        assert (answer.status_code, [one["status"] for one in answer.json()]) == (207, [200] * 5)
        assert relay.post("/webhooks/plain/batch", batch).status_code == 429


def test_a_forwarded_address_counts_only_if_a_trusted_proxy_tells_it(kafka: str, tmp_path: Path) -> None:
    def statuses(relay: RelayProcess, *forwarded: str) -> list[int]:
        return [
            relay.post("/webhooks/plain", PLAIN, {"x-forwarded-for": one}).status_code for one in forwarded
        ]

    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    rate = {"RELAY__LIMIT_PER_ADDRESS": "1/day"}
    with limited(kafka, tmp_path / "a", **rate) as relay:
        assert statuses(relay, "203.0.113.1", "203.0.113.2") == [200, 429]
    with limited(kafka, tmp_path / "b", **rate, HTTP__TRUSTED_PROXIES="127.0.0.0/8,10.0.0.0/8") as relay:
        assert statuses(relay, "203.0.113.1", "203.0.113.1", "203.0.113.2") == [200, 429, 200]
        assert statuses(relay, "9.9.9.9, 203.0.113.1", "203.0.113.1, 10.0.0.5") == [429, 429]
        assert statuses(relay, "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1") == [200, 429, 200]
        assert statuses(relay, "nonsense", "x" * 9_000, "nonsense, 203.0.113.3") == [200, 429, 200]


def test_at_once_no_more_pass_than_the_rate_says(kafka: str, tmp_path: Path) -> None:
    with limited(kafka, tmp_path, RELAY__LIMIT_PER_ADDRESS="50/day") as relay, ThreadPoolExecutor(16) as pool:
        statuses = list(pool.map(lambda _: relay.post("/webhooks/plain", PLAIN).status_code, range(120)))
    assert (statuses.count(200), statuses.count(429)) == (50, 70)


def test_whoever_waits_as_told_is_taken(kafka: str, tmp_path: Path) -> None:
    with limited(kafka, tmp_path, RELAY__LIMIT_PER_ADDRESS="1/second") as relay:
        answers = (relay.post("/webhooks/plain", PLAIN) for _ in range(100))
        refused = next(answer for answer in answers if answer.status_code == 429)  # or a second went by
        wait_s = int(refused.headers["retry-after"])
        assert wait_s in {1, 2}
        told_s = time.monotonic()
        eventually(lambda: time.monotonic() >= told_s + wait_s)
        assert relay.post("/webhooks/plain", PLAIN).status_code == 200


def test_a_flood_is_counted_in_the_log_and_does_not_fill_it(kafka: str, tmp_path: Path) -> None:
    with limited(kafka, tmp_path, RELAY__LIMIT_PER_ADDRESS="1/day") as relay:
        statuses = [relay.post("/webhooks/plain", PLAIN, JSON).status_code for _ in range(300)]
        assert relay.stop() == 0
    assert statuses == [200] + [429] * 299
    lines = [line for line in relay.lines() if line.get("status") == 429]
    rest = [line["requests"] for line in relay.lines() if line["event"] == "requests_limited"]
    assert len(lines) + sum(rest) == 299
    assert len(lines) + len(rest) < 150
