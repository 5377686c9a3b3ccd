"""Services that are asked for and missing are an error: a skip would count as a pass."""

import pytest
from docker.errors import DockerException

from tests import services


@pytest.fixture
def asked_for(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in ("TEST_KAFKA_BOOTSTRAP_SERVERS", "TEST_DATABASE_URL", "TEST_REDIS_URL"):
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_containers_without_an_engine(asked_for: pytest.MonkeyPatch) -> None:
    asked_for.setenv("TEST_SERVICES", "containers")
    asked_for.setenv("DOCKER_HOST", "tcp://127.0.0.1:9")  # nobody listens on the port of "discard"
    with pytest.raises(DockerException), services.others():
        pytest.fail("there is no engine")


def test_addresses_that_nobody_told(asked_for: pytest.MonkeyPatch) -> None:
    asked_for.setenv("TEST_SERVICES", "external")
    asked_for.setenv("TEST_DATABASE_URL", "postgresql://db.example/tests")
    missing = "needs TEST_KAFKA_BOOTSTRAP_SERVERS, TEST_REDIS_URL"
    with pytest.raises(pytest.UsageError, match=missing), services.others():
        pytest.fail("two are missing")


def test_a_kind_that_there_is_not(asked_for: pytest.MonkeyPatch) -> None:
    asked_for.setenv("TEST_SERVICES", "cloud")
    with pytest.raises(pytest.UsageError, match="not cloud"):
        services.mode()


@pytest.mark.parametrize("unset", ["", None])
def test_embedded_is_what_nobody_asks_for(asked_for: pytest.MonkeyPatch, unset: str | None) -> None:
    if unset is None:
        asked_for.delenv("TEST_SERVICES", raising=False)
    else:
        asked_for.setenv("TEST_SERVICES", unset)
    assert services.mode() == "embedded"
