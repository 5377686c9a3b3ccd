"""A demo's own settings are ones that the roles take."""

import socket
from contextlib import ExitStack, suppress

import pytest

from config import settings
from config.embedded.services import Addresses
from session_relay.up.setting import Ports, Setting, preferred_ports

ADDRESSES = Addresses(
    kafka_bootstrap_servers="127.0.0.1:9",
    database_url="postgresql://postgres@127.0.0.1:9/x",
    redis_url="redis://127.0.0.1:9/0",
)


def test_the_roles_take_what_a_demo_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = Setting.drawn(Ports(relay=1, relay_sidecar=2))
    monkeypatch.setenv("API_PORT", "3")
    for name, value in drawn.environment("relay", ADDRESSES).items():
        monkeypatch.setenv(name, value)
    tree = settings.load("relay")
    assert (tree.http.port, tree.metrics.relay_port, tree.metrics.sink_port) == (1, 2, 0)
    assert tree.kafka.bootstrap_servers == "127.0.0.1:9"
    assert {source.tenant for source in tree.sources.values()} == {drawn.tenant}
    schemes = {name: [one.scheme for one in source.schemes] for name, source in tree.sources.items()}
    assert schemes == {"asleep": ["api_key", "hmac_sha256"], "generic": ["hmac_sha256"]}
    (secret,) = tree.sources["generic"].schemes[0].keys()
    assert secret.decode() == drawn.credentials["generic"].signing_key


def test_only_one_demo_at_a_time_is_given_the_preferred_ports() -> None:
    with preferred_ports() as first, preferred_ports() as second:
        assert first.relay in {0, 8080}  # 0 if something else has it
        assert second == Ports()


def test_a_preferred_port_that_is_taken_is_left_to_its_owner() -> None:
    with ExitStack() as stack:
        with suppress(OSError):  # then somebody else has it, which is as good
            stack.enter_context(socket.create_server(("127.0.0.1", 9102)))
        assert stack.enter_context(preferred_ports()).sink_sidecar == 0


def test_two_demos_share_neither_tenant_nor_secret() -> None:
    first, second = Setting.drawn(Ports()), Setting.drawn(Ports())
    assert first.tenant != second.tenant
    assert first.credentials != second.credentials
