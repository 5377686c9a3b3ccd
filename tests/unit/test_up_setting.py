"""A demo's own settings are ones that the roles take."""

import socket

import pytest

from config import settings
from config.embedded.services import Addresses
from session_relay.up.setting import Setting

ADDRESSES = Addresses(
    kafka_bootstrap_servers="127.0.0.1:9",
    database_url="postgresql://postgres@127.0.0.1:9/x",
    redis_url="redis://127.0.0.1:9/0",
)


def test_the_roles_take_what_a_demo_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = Setting.drawn()
    for name, value in drawn.environment("relay", ADDRESSES).items():
        monkeypatch.setenv(name, value)
    tree = settings.load("relay")
    assert tree.http.port == drawn.relay_port
    assert tree.kafka.bootstrap_servers == "127.0.0.1:9"
    assert {source.tenant for source in tree.sources.values()} == {drawn.tenant}
    schemes = {name: [one.scheme for one in source.schemes] for name, source in tree.sources.items()}
    assert schemes == {"asleep": ["api_key", "hmac_sha256"], "generic": ["hmac_sha256"]}
    secret = tree.sources["generic"].schemes[0].secrets[0].get_secret_value()
    assert secret == drawn.credentials["generic"].signing_key


def test_a_taken_port_is_replaced_by_a_free_one() -> None:
    before = Setting.drawn()
    with socket.create_server(("127.0.0.1", before.relay_port)):
        drawn = Setting.drawn()
        ports = {drawn.relay_port, drawn.relay_sidecar_port, drawn.sink_sidecar_port}
    assert before.relay_port not in ports
    assert len(ports) == 3


def test_two_demos_share_neither_tenant_nor_secret() -> None:
    first, second = Setting.drawn(), Setting.drawn()
    assert first.tenant != second.tenant
    assert first.credentials != second.credentials
