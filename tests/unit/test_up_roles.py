"""A role's process: watched from its start to its end."""

import json
import socket
from pathlib import Path

import httpx
import pytest

from config.errors import Unavailable
from session_relay.up.roles import Role, RoleDied

ALONE = {
    "HTTP__PORT": "0",
    "METRICS__RELAY_PORT": "0",
    "APP__LOG_FORMAT": "json",
    "APP__LOG_LEVEL": "INFO",
    "KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:9",
    "RELAY__SPOOL": "false",
    "SOURCES": json.dumps({"s": {"vendor": "generic", "schemes": [{"scheme": "none"}]}}),
}
"""A relay on free ports, whose Kafka is away, with no spool: it runs, and is not ready."""


def test_a_role_that_ends_at_once_is_told_with_its_log(tmp_path: Path) -> None:
    """Method: a setting that no role takes."""
    with Role("relay", {"API_PORT": "none"}, tmp_path) as role, pytest.raises(RoleDied) as died:
        role.wait_ready()
    assert f"The relay ended with status 2; {role.log} ends:" in str(died.value)
    assert "API_PORT" in str(died.value)


def test_a_log_of_a_former_run_is_not_taken_for_this_one(tmp_path: Path) -> None:
    (tmp_path / "relay.log").write_text("what was before\n")
    with Role("relay", {"API_PORT": "none"}, tmp_path) as role, pytest.raises(RoleDied) as died:
        role.wait_ready()
    assert "what was before" not in str(died.value)


def test_settings_for_another_cluster_are_not_inherited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Method: a wrong one of ours ends the role, an inherited wrong one must not be what it names."""
    monkeypatch.setenv("KAFKA__OPTIONS", "not even JSON")
    with Role("relay", {"API_PORT": "none"}, tmp_path) as role, pytest.raises(RoleDied) as died:
        role.wait_ready()
    assert "KAFKA__OPTIONS" not in str(died.value)


def test_a_role_says_itself_where_it_listens(tmp_path: Path) -> None:
    """Also where a former run's log tells other ports."""
    (tmp_path / "relay.log").write_text('{"event": "relay_started", "port": 9}\n')
    with Role("relay", ALONE, tmp_path) as role:
        url, sidecar_url = role.wait_url("relay_started"), role.wait_url("sidecar_started")
        assert url != sidecar_url
        assert httpx.get(f"{url}/livez").is_success
        assert httpx.get(f"{sidecar_url}/metrics").is_success


def test_a_role_whose_kafka_is_away_is_not_ready(tmp_path: Path) -> None:
    with Role("relay", ALONE, tmp_path) as role, pytest.raises(Unavailable, match="relay is not ready"):
        role.wait_ready(within_s=3)


def test_two_roles_at_once_are_told_apart(tmp_path: Path) -> None:
    others = tmp_path / "others"
    others.mkdir()
    with Role("relay", ALONE, tmp_path) as one, Role("relay", ALONE, others) as two:
        urls = {role.wait_url(event) for role in (one, two) for event in ("relay_started", "sidecar_started")}
        assert len(urls) == 4


def test_a_port_that_another_has_ends_the_role(tmp_path: Path) -> None:
    """So that nothing of another's is taken for the role's own."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = {"METRICS__RELAY_PORT": str(other.getsockname()[1])}
        with Role("relay", ALONE | taken, tmp_path) as role, pytest.raises(RoleDied, match="already in use"):
            role.wait_ready()
