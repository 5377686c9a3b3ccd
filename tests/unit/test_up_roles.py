"""A role's process: watched from its start to its end."""

from pathlib import Path

import pytest

from session_relay.up.roles import Role, RoleDied

READY = "http://127.0.0.1:9/readyz"


def test_a_role_that_ends_at_once_is_told_with_its_log(tmp_path: Path) -> None:
    """Method: a setting that no role takes."""
    with Role("relay", {"API_PORT": "none"}, tmp_path, READY) as role, pytest.raises(RoleDied) as died:
        role.wait_ready()
    assert f"The relay ended with status 2; {role.log} ends:" in str(died.value)
    assert "API_PORT" in str(died.value)


def test_a_log_of_a_former_run_is_not_taken_for_this_one(tmp_path: Path) -> None:
    (tmp_path / "relay.log").write_text("what was before\n")
    with Role("relay", {"API_PORT": "none"}, tmp_path, READY) as role, pytest.raises(RoleDied) as died:
        role.wait_ready()
    assert "what was before" not in str(died.value)


def test_settings_for_another_cluster_are_not_inherited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Method: a wrong one of ours ends the role, an inherited wrong one must not be what it names."""
    monkeypatch.setenv("KAFKA__OPTIONS", "not even JSON")
    with Role("relay", {"API_PORT": "none"}, tmp_path, READY) as role, pytest.raises(RoleDied) as died:
        role.wait_ready()
    assert "KAFKA__OPTIONS" not in str(died.value)
