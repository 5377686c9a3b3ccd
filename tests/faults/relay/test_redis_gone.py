"""Redis is killed, freezes and comes back: limits are each relay's own meanwhile, and no request waits."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from config.embedded.services import EmbeddedServices
from tests.deliveries import as_body, generic_session
from tests.eventually import eventually
from tests.redis_process import RedisProcess
from tests.relay_process import RelayProcess

pytestmark = pytest.mark.faults
BODY = as_body(generic_session())
AT_ONCE_S = 0.5
"""Far below the second that the relay gives Redis in the background."""


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[RedisProcess]:
    server = RedisProcess(tmp_path / "redis")
    yield server
    server.kill()


def statuses(relay: RelayProcess, times: int) -> list[int]:
    """All of them answered at once, or it fails."""
    answers = [relay.post("/webhooks/plain", BODY) for _ in range(times)]
    assert max(answer.elapsed.total_seconds() for answer in answers) < AT_ONCE_S
    return [answer.status_code for answer in answers]


def is_up(relay: RelayProcess) -> bool:
    return relay.metrics()["redis_up"] == 1


def readiness(relay: RelayProcess) -> dict[str, Any]:
    told: dict[str, Any] = relay.client.get(f"{relay.url}/readyz").json()["dependencies"]["redis"]
    return told


def changes(relay: RelayProcess) -> list[str]:
    return [line["event"] for line in relay.lines() if line["event"] in {"limits_shared", "limits_alone"}]


@pytest.mark.parametrize("how", ["killed", "frozen"])
def test_limits_are_the_process_own_while_redis_is_away(
    services: EmbeddedServices, topic: str, tmp_path: Path, redis: RedisProcess, how: str
) -> None:
    kafka = services.addresses.kafka_bootstrap_servers
    rate = {"RELAY__LIMIT_PER_SOURCE": "30/day", "REDIS_URL": redis.url, "RELAY__LIMIT_SHARE_MS": "20"}
    with RelayProcess.running(tmp_path, kafka, topic, **rate) as relay:
        eventually(relay.is_ready)
        eventually(lambda: is_up(relay))
        assert statuses(relay, 10) == [200] * 10
        redis.kill() if how == "killed" else redis.freeze()
        assert statuses(relay, 5) == [200] * 5
        eventually(lambda: not is_up(relay))
        assert statuses(relay, 5) == [200] * 5
        assert relay.is_ready()  # it is not needed
        down = relay.client.get(f"{relay.url}/readyz").json()["dependencies"]["redis"]
        assert (down["up"], down["needed"]) == (False, False)
        eventually(
            lambda: (
                relay.client.get(f"{relay.url}/readyz").json()["dependencies"]["redis"]["failures_in_a_row"]
                > 1
            )
        )
        redis.start() if how == "killed" else redis.wake()
        eventually(lambda: is_up(relay))
        assert statuses(relay, 12) == [200] * 10 + [429] * 2  # nothing was forgotten, nothing counted twice
        eventually(lambda: redis.told("source:86400:plain") == [30])
        assert changes(relay) == ["limits_shared", "limits_alone", "limits_shared"]
        assert relay.stop() == 0
    assert redis.url not in relay.log_text()


def test_a_relay_starts_and_ends_beside_a_redis_that_says_nothing(
    services: EmbeddedServices, topic: str, tmp_path: Path, redis: RedisProcess
) -> None:
    kafka = services.addresses.kafka_bootstrap_servers
    redis.freeze()
    rate = {"RELAY__LIMIT_PER_ADDRESS": "3/day", "REDIS_URL": redis.url}
    with RelayProcess.running(tmp_path, kafka, topic, **rate) as relay:
        eventually(relay.is_ready)
        assert statuses(relay, 4) == [200] * 3 + [429]
        relay.told("limits_alone")
        assert statuses(relay, 1) == [429]
        started_s = time.monotonic()
        assert relay.stop() == 0
        assert time.monotonic() - started_s < 5
        assert changes(relay) == ["limits_alone"]
        assert [line for line in relay.lines() if line["level"] in {"error", "critical"}] == []


def test_a_redis_that_talks_nonsense_harms_nobody(
    services: EmbeddedServices, topic: str, tmp_path: Path, redis: RedisProcess
) -> None:
    """Fields that are not ours, a key of another type."""
    kafka = services.addresses.kafka_bootstrap_servers
    client, key = redis.client(), "session-relay:limit:source:86400:plain"
    rate = {"RELAY__LIMIT_PER_SOURCE": "5/day", "REDIS_URL": redis.url, "RELAY__LIMIT_SHARE_MS": "20"}
    with RelayProcess.running(tmp_path, kafka, topic, **rate) as relay:
        eventually(relay.is_ready)
        assert statuses(relay, 1) == [200]
        eventually(lambda: client.exists(key))
        (own,) = redis.fields("source:86400:plain").values()
        newest, _, _ = own.partition(":")
        odd = ["", ":", "1:2:3", "x:1", f"{newest}:x", "9" * 5_000, f"{newest}:-9", f"1{newest}:9", "1:9"]
        client.hset(key, mapping={f"odd-{place}": text for place, text in enumerate(odd)})
        eventually(lambda: not client.hexists(key, "odd-8"))  # told nothing for a whole window: taken away
        assert statuses(relay, 1) == [200]
        client.set(key, "no hash")
        eventually(lambda: not is_up(relay))
        assert statuses(relay, 1) == [200]
        client.delete(key)
        eventually(lambda: is_up(relay))
        assert statuses(relay, 3) == [200, 200, 429]
