"""Two relays count together by way of a real Redis."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from config.embedded.services import EmbeddedServices
from tests.deliveries import as_body, generic_session
from tests.eventually import eventually
from tests.redis_process import RedisProcess
from tests.relay_process import RelayProcess, new_topic

pytestmark = pytest.mark.integration
BODY = as_body(generic_session())
ROUND_MS = 20


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisProcess]:
    server = RedisProcess(tmp_path / "redis")
    yield server
    server.kill()


@pytest.fixture
def pair(
    services: EmbeddedServices, redis: RedisProcess, tmp_path: Path
) -> Iterator[tuple[RelayProcess, RelayProcess]]:
    kafka = services.addresses.kafka_bootstrap_servers
    topic = new_topic(kafka)
    settings = {
        "RELAY__LIMIT_PER_ADDRESS": "20/hour",
        "RELAY__LIMIT_PER_SOURCE": "30/hour",
        "RELAY__LIMIT_SHARE_MS": str(ROUND_MS),
        "REDIS_URL": redis.url,
        "HTTP__TRUSTED_PROXIES": "127.0.0.1",
    }
    with ExitStack() as stack:
        relays = []
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            running = RelayProcess.running(tmp_path / name, kafka, topic, **settings)
            relays.append(stack.enter_context(running))
            eventually(relays[-1].is_ready)
            relays[-1].told("limits_shared")
        yield relays[0], relays[1]


def status(relay: RelayProcess, address: str) -> int:
    return relay.post("/webhooks/plain", BODY, {"x-forwarded-for": address}).status_code


def test_what_one_took_counts_at_the_other(
    redis: RedisProcess, pair: tuple[RelayProcess, RelayProcess]
) -> None:
    one, two = pair
    assert status(two, "203.0.113.1") == 200  # it asks for what concerns it
    assert [status(one, "203.0.113.1") for _ in range(19)] == [200] * 19
    eventually(lambda: status(two, "203.0.113.1") == 429, within_s=5)
    assert status(one, "203.0.113.1") == 429
    assert 20 <= sum(redis.told("address:3600:203.0.113.1")) <= 20 + 4  # what passed before it was heard
    assert status(two, "203.0.113.2") == 200  # others are not in it
    assert 0 < redis.client().pttl("session-relay:limit:address:3600:203.0.113.1") <= 10_000


def test_a_source_counts_over_both(redis: RedisProcess, pair: tuple[RelayProcess, RelayProcess]) -> None:
    for relay in pair:
        assert [status(relay, f"203.0.113.{number}") for number in range(15)] == [200] * 15
    for relay in pair:
        eventually(lambda: status(relay, "198.51.100.1") == 429, within_s=5)  # noqa: B023 - asked in this turn
    assert 30 <= sum(redis.told("source:3600:plain")) <= 30 + 4  # likewise
    assert [relay.metrics()["redis_up"] for relay in pair] == [1, 1]
