"""Real Kafka, Postgres and Redis: started, found, restarted on their data, three brokers."""

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from config.embedded.kafka import LAST_COMPILER_LEFT_OUT
from config.embedded.services import Addresses, EmbeddedServices, Mode, start_detached, status, stop
from config.errors import RelayError
from tests.eventually import PATIENCE_S, eventually
from tests.freezing import freeze

pytestmark = pytest.mark.integration
TOPIC = "embedded-services"


@pytest.fixture(scope="module", autouse=True)
def _one_cache_of_jars() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if "SESSION_RELAY_CACHE" not in os.environ:
            patch.setenv("SESSION_RELAY_CACHE", str(Path(__file__).parents[2] / ".session-relay" / "cache"))
        yield


@pytest.fixture(scope="module")
def state_dir() -> Iterator[Path]:
    """Open to others, so that as root Postgres' files stay inside; pytest's own directories are closed."""
    with tempfile.TemporaryDirectory(prefix="session-relay-test-") as name:
        Path(name).chmod(0o755)
        yield Path(name)


@pytest.fixture(scope="module")
def services(state_dir: Path) -> Iterator[EmbeddedServices]:
    with EmbeddedServices.running(state_dir) as running:
        yield running


def command(*args: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "session_relay.cli", "services", *args],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def produce(addresses: Addresses, value: bytes) -> None:
    clients: dict[str, str | int | float | bool] = {"bootstrap.servers": addresses.kafka_bootstrap_servers}
    admin = AdminClient(clients)
    if TOPIC not in admin.list_topics(timeout=PATIENCE_S).topics:
        admin.create_topics([NewTopic(TOPIC, 1, -1)])[TOPIC].result(PATIENCE_S)
    failed: list[str] = []
    producer = Producer({**clients, "enable.idempotence": True})
    producer.produce(TOPIC, value, on_delivery=lambda error, _: failed.append(str(error)) if error else None)
    assert producer.flush(PATIENCE_S) == 0
    assert failed == []


def first_record(addresses: Addresses) -> bytes | None:
    consumer = Consumer(
        {"bootstrap.servers": addresses.kafka_bootstrap_servers, "group.id": "x", "enable.auto.commit": False}
    )
    try:
        consumer.assign([TopicPartition(TOPIC, 0, 0)])
        record = consumer.poll(10)
        return record.value() if record else None
    finally:
        consumer.close()


def test_all_three_answer(services: EmbeddedServices) -> None:
    with psycopg.connect(services.addresses.database_url) as connection:
        version = connection.execute("SHOW server_version").fetchone()
    assert version is not None
    assert version[0].startswith("18.")
    with redis.Redis.from_url(services.addresses.redis_url) as client:
        assert client.ping()
    produce(services.addresses, b"first")
    assert first_record(services.addresses) == b"first"
    assert set(services.pids) == {"kafka-1", "postgres", "redis"}


def test_running_services_are_found_and_left_running(services: EmbeddedServices, state_dir: Path) -> None:
    with EmbeddedServices.running(state_dir, say=pytest.fail) as found:
        assert found.pids == services.pids
        assert found.addresses == services.addresses
        with pytest.raises(RelayError, match="started by another process"):
            found.stop("redis")
    assert set(services.pids) == {"kafka-1", "postgres", "redis"}


def test_another_number_of_brokers_is_refused(services: EmbeddedServices, state_dir: Path) -> None:
    assert services.pids
    with (
        pytest.raises(RelayError, match="runs 1 Kafka brokers, not 3"),
        EmbeddedServices.running(state_dir, 3),
    ):
        pass


@pytest.mark.parametrize(
    ("name", "mode"), [("kafka-1", "kill"), ("postgres", "fast"), ("postgres", "kill"), ("redis", "fast")]
)
def test_one_service_stops_and_starts_on_its_port(services: EmbeddedServices, name: str, mode: Mode) -> None:
    before = services.pids
    services.stop(name, mode)
    assert name not in services.pids
    services.start(name)
    assert services.pids[name] != before[name]
    produce(services.addresses, b"again")
    with psycopg.connect(services.addresses.database_url) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    with redis.Redis.from_url(services.addresses.redis_url) as client:
        assert client.ping()


def test_a_service_that_ends_by_itself_is_told_missing(services: EmbeddedServices, state_dir: Path) -> None:
    os.kill(services.pids["redis"], 9)
    eventually(lambda: "redis" not in services.pids)
    found = status(state_dir)
    assert found is not None
    assert found.missing == ["redis"]
    services.start("redis")


def test_a_frozen_service_stops_like_any_other(services: EmbeddedServices) -> None:
    freeze(services.pids["postgres"])
    services.stop("postgres")
    assert "postgres" not in services.pids
    services.start("postgres")


def test_an_unknown_service_is_refused(services: EmbeddedServices) -> None:
    with pytest.raises(RelayError, match="no service mysql, only kafka-1, postgres, redis"):
        services.stop("mysql")
    with pytest.raises(RelayError, match="redis runs already"):
        services.start("redis")


def test_status_and_env_tell_how_to_reach_them(services: EmbeddedServices, state_dir: Path) -> None:
    told = json.loads(command("status", "--json", "--state-dir", str(state_dir)).stdout)
    assert told["pids"] == services.pids
    assert told["addresses"] == services.addresses.environment()
    shown = command("status", SESSION_RELAY_HOME=str(state_dir)).stdout
    assert services.addresses.database_url in shown
    exported = command("env", "--state-dir", str(state_dir)).stdout.splitlines()
    assert f"export DATABASE_URL={services.addresses.database_url}" in exported
    assert len(exported) == 3


@pytest.mark.parametrize("name", ["status", "env"])
def test_asking_where_nothing_runs_exits_with_4(tmp_path: Path, name: str) -> None:
    answer = command(name, "--state-dir", str(tmp_path))
    assert answer.returncode == 4
    assert "No services run" in answer.stderr


def test_data_and_ports_outlive_a_stop_and_no_network_is_needed() -> None:
    """Detached, as `services start`; with every way out closed and a new, empty HOME."""
    with tempfile.TemporaryDirectory(prefix="session-relay-test-") as other:
        Path(other).chmod(0o755)
        first = start_detached(Path(other))
        assert LAST_COMPILER_LEFT_OUT not in psutil.Process(first.pids["kafka-1"]).cmdline()
        with psycopg.connect(first.addresses.database_url) as connection:
            connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
        produce(first.addresses, b"kept")
        assert stop(Path(other))
        assert status(Path(other)) is None
        nowhere = "http://127.0.0.1:9"
        closed = {
            "HTTPS_PROXY": nowhere,
            "HTTP_PROXY": nowhere,
            "ALL_PROXY": nowhere,
            "HOME": f"{other}/home",
        }
        taken = int(first.addresses.redis_url.rpartition(":")[2].removesuffix("/0"))
        with socket.create_server(("127.0.0.1", taken)):
            again = command("start", "--state-dir", other, **closed)
        try:
            assert again.returncode == 0, again.stderr
            assert f"port {taken} is taken by another program" in again.stderr
            with psycopg.connect(first.addresses.database_url) as connection:
                assert connection.execute("SELECT answer FROM kept").fetchone() == (42,)
            assert first_record(first.addresses) == b"kept"
        finally:
            assert command("stop", "--state-dir", other).returncode == 0
        assert stop(Path(other)) is False


def test_three_brokers_go_on_without_one() -> None:
    with tempfile.TemporaryDirectory(prefix="session-relay-test-") as name:
        Path(name).chmod(0o755)
        with EmbeddedServices.running(Path(name), 3) as services:
            produce(services.addresses, b"all three")
            services.stop("kafka-2", "kill")
            produce(services.addresses, b"two of three")
            assert first_record(services.addresses) == b"all three"
