"""What a role imports: its own libraries alone, as imports are most of a start."""

import subprocess
import sys

import pytest

from config.imports import without

NOT_THE_SINKS = (
    "redis",
    "httpx",
    "granian",
    "sqlalchemy",
    "alembic",
    "yaml",
    "cryptography",
    "producers",
    "rich",
    "fastavro",
)
NOT_THE_RELAYS = (
    "consumers",
    "psycopg",
    "redis",
    "httpx",
    "sqlalchemy",
    "alembic",
    "pybreaker",
    "rich",
    "fastavro",
)
LOADED = (
    "import sys; from session_relay import cli; cli.command_line('{role}');"
    " import {role_module}; print(*{{name.partition('.')[0] for name in sys.modules}})"
)


def loaded_by(role: str, role_module: str) -> set[str]:
    code = LOADED.format(role=role, role_module=role_module)
    return set(subprocess.check_output([sys.executable, "-c", code], text=True, timeout=60).split())


def test_the_sink_imports_nothing_that_only_other_roles_need() -> None:
    loaded = loaded_by("sink", "consumers.sink")
    assert {"psycopg", "confluent_kafka", "pybreaker"} <= loaded
    assert loaded.isdisjoint(NOT_THE_SINKS)


def test_the_relay_imports_nothing_that_only_other_roles_need() -> None:
    loaded = loaded_by("relay", "producers.relay")
    assert {"granian", "confluent_kafka", "msgspec"} <= loaded
    assert loaded.isdisjoint(NOT_THE_RELAYS)


def test_a_backfill_imports_nothing_that_it_has_no_use_for() -> None:
    loaded = loaded_by("backfill", "producers.backfill.role")
    assert {"httpx", "confluent_kafka", "pybreaker"} <= loaded
    assert loaded.isdisjoint(
        {"consumers", "psycopg", "redis", "granian", "sqlalchemy", "alembic", "fastavro"}
    )


def test_a_library_that_is_left_out_is_there_again_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "this", raising=False)
    with without("this"), pytest.raises(ModuleNotFoundError):
        __import__("this")
    assert "this" not in sys.modules


def test_a_library_that_is_loaded_already_stays() -> None:
    with without("pytest"):
        assert __import__("pytest") is pytest
    assert sys.modules["pytest"] is pytest
