"""Where the tests' Kafka, Postgres and Redis come from: TEST_SERVICES says it, and nothing else decides.

`embedded` (the default) starts them as child processes, `containers` from the images that
docker-compose.yml names, `external` takes those at TEST_KAFKA_BOOTSTRAP_SERVERS, TEST_DATABASE_URL and
TEST_REDIS_URL, `floors` the oldest versions that are promised to work. What is asked for and missing is
an error, never a skip.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
import yaml
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from config.embedded.services import EmbeddedServices
from config.embedded.status import Addresses
from tests.docs.source_tree import ROOT
from tests.eventually import PATIENCE_S, eventually
from tests.floors import floors
from tests.ports import free_port

KAFKA_WITHIN_S: Final = 90.0
_EXTERNAL: Final = {
    "kafka_bootstrap_servers": "TEST_KAFKA_BOOTSTRAP_SERVERS",
    "database_url": "TEST_DATABASE_URL",
    "redis_url": "TEST_REDIS_URL",
}


class Services(NamedTuple):
    """Services that the tests may use, and may not stop, freeze or kill."""

    addresses: Addresses


def mode() -> str:
    """Which services are asked for.

    Raises:
        pytest.UsageError: Something unknown.
    """
    asked = os.environ.get("TEST_SERVICES") or "embedded"
    if asked not in _MODES and asked != "embedded":
        raise pytest.UsageError(f"TEST_SERVICES is embedded, {', '.join(_MODES)}; not {asked}")
    return asked


@contextmanager
def others() -> Iterator[Services]:
    """Services of the kind that is asked for, which is not embedded."""
    with _MODES[mode()]() as addresses:
        yield Services(addresses)


@contextmanager
def embedded() -> Iterator[EmbeddedServices]:
    """Embedded services, in a directory that other users may enter.

    `SESSION_RELAY_TEST_STATE` names those of somebody else, for runs that neither stop nor start any.
    """
    os.environ.setdefault("SESSION_RELAY_CACHE", str(ROOT / ".session-relay" / "cache"))
    if lent := os.environ.get("SESSION_RELAY_TEST_STATE"):
        with EmbeddedServices.running(Path(lent)) as running:
            yield running
        return
    with tempfile.TemporaryDirectory(prefix="session-relay-tests-") as name:
        Path(name).chmod(0o755)
        with EmbeddedServices.running(Path(name)) as running:
            yield running


@contextmanager
def _external() -> Iterator[Addresses]:
    missing = [name for name in _EXTERNAL.values() if not os.environ.get(name)]
    if missing:
        raise pytest.UsageError(f"TEST_SERVICES=external needs {', '.join(missing)}")
    yield Addresses(**{field: os.environ[name] for field, name in _EXTERNAL.items()})


@contextmanager
def _containers() -> Iterator[Addresses]:
    # here, as nobody else needs an engine's client
    from testcontainers.community.postgres import PostgresContainer  # noqa: PLC0415
    from testcontainers.community.redis import RedisContainer  # noqa: PLC0415
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415

    with ExitStack() as stack:
        redis = stack.enter_context(RedisContainer(_image("redis")))
        # Kafka tells its clients where it is: so it is told before it starts, by a neighbour's address
        kafka_at = f"{redis.get_container_host_ip()}:{(port := free_port())}"
        kafka = DockerContainer(_image("kafka")).with_bind_ports(9092, port)
        stack.enter_context(kafka.with_envs(**_kafka_settings(kafka_at)))
        postgres = stack.enter_context(PostgresContainer(_image("postgres"), driver=None))
        eventually(lambda: _lists_topics(kafka_at), KAFKA_WITHIN_S, every_s=0.2)
        yield Addresses(
            kafka_bootstrap_servers=kafka_at,
            database_url=postgres.get_connection_url(),
            redis_url=f"redis://{redis.get_container_host_ip()}:{redis.get_exposed_port(6379)}/0",
        )


_MODES: Final = {"containers": _containers, "external": _external, "floors": floors}


def _image(service: str) -> str:
    """The very image, and version, that docker-compose.yml starts."""
    return str(_composed(service)["image"])


def _kafka_settings(advertised: str) -> dict[str, str]:
    """docker-compose.yml's settings, but reached from outside of the container, on a port known before."""
    inside = "INTERNAL://localhost:29092"
    return dict(_composed("kafka")["environment"]) | {
        "KAFKA_LISTENERS": f"PLAINTEXT://:9092,{inside},CONTROLLER://:9093",
        "KAFKA_ADVERTISED_LISTENERS": f"PLAINTEXT://{advertised},{inside}",
        "KAFKA_INTER_BROKER_LISTENER_NAME": "INTERNAL",
        "KAFKA_LISTENER_SECURITY_PROTOCOL_MAP": "CONTROLLER:PLAINTEXT,INTERNAL:PLAINTEXT,PLAINTEXT:PLAINTEXT",
        "KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS": "10",
        "KAFKA_GROUP_MIN_SESSION_TIMEOUT_MS": "1000",  # tests.sink_rig.QUICK_SESSION
    }


def _composed(service: str) -> dict[str, Any]:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
    return dict(services[service])


def _lists_topics(bootstrap_servers: str) -> bool:
    try:
        client = AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})
        return bool(client.list_topics(timeout=PATIENCE_S).brokers)
    except KafkaException:
        return False
