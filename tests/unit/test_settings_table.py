import json
from pathlib import Path

import pytest

from config.sections import Section
from config.settings import Settings, load
from config.settings_table import describe, in_force, markdown

pytestmark = pytest.mark.usefixtures("nothing_set")


def test_every_setting_says_what_it_means() -> None:
    rows = describe()
    assert [row.name for row in rows if not row.meaning.endswith(".")] == []
    assert len({row.name for row in rows}) == len(rows)


def test_every_leaf_of_the_tree_has_a_row() -> None:
    branches = [getattr(Settings(), name) for name in Settings.model_fields]
    leaves = sum(len(type(branch).model_fields) for branch in branches if isinstance(branch, Section))
    others = {"SOURCES", "CONFIG_FILE", "SECRETS_DIR"}
    assert len(describe()) == leaves + len(others)
    assert others <= {row.name for row in describe()}


def test_every_name_in_the_table_is_one_that_is_read(
    monkeypatch: pytest.MonkeyPatch, nothing_set: Path
) -> None:
    values = {"DATABASE_URL": "dbname=x", "SOURCES": "{}", "KAFKA__OPTIONS": "{}", "DB_PORT": "1"}
    values |= dict.fromkeys(("RELAY__LIMIT_PER_ADDRESS", "RELAY__LIMIT_PER_SOURCE"), "1/day")
    values["HTTP__TRUSTED_PROXIES"] = "::1"
    values["SCHEMA_REGISTRY_URL"] = "http://x"
    values |= {
        "ASLEEP_API_KEY": "k",
        "CONFIG_FILE": "empty.toml",
        "SECRETS_DIR": ".",
    }
    (nothing_set / "empty.toml").touch()
    for row in describe():
        monkeypatch.setenv(row.name, values.get(row.name, row.default.replace("not set", "x")))
    assert load().db.name == "x"


def test_the_markdown_table_has_a_line_for_each_setting() -> None:
    lines = markdown().splitlines()
    assert len(lines) == 2 + len(describe())
    assert all(line.count(" | ") == 2 for line in lines if "---" not in line)


def test_limits_and_proxies_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = {"vendor": "oura", "schemes": [{"scheme": "none"}], "limit": "5/second"}
    monkeypatch.setenv("SOURCES", json.dumps({"rings": entry}))
    monkeypatch.setenv("RELAY__LIMIT_PER_ADDRESS", "100/minute")
    monkeypatch.setenv("HTTP__TRUSTED_PROXIES", "10.0.0.0/8,::1")
    shown = {row.name: row.value for row in in_force(load())}
    assert shown["SOURCES"].endswith(", limit 5/second")
    assert shown["RELAY__LIMIT_PER_ADDRESS"] == "100/minute"
    assert shown["HTTP__TRUSTED_PROXIES"] == "10.0.0.0/8, ::1/128"


def test_what_a_source_redacts_is_shown_and_its_tokens_are_not(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = {"vendor": "oura", "schemes": [{"scheme": "none"}], "verification_tokens": ["hunter2"]}
    monkeypatch.setenv("SOURCES", json.dumps({"rings": entry | {"redact": ["email", "a.?b"]}}))
    (shown,) = [row.value for row in in_force(load()) if row.name == "SOURCES"]
    assert shown.endswith(", without email and a.?b")
    assert "hunter2" not in shown


def test_what_is_in_force_is_shown_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:hunter2@h:1/x?sslpassword=hunter2")
    monkeypatch.setenv("DB_PASSWORD", "hunter2")
    monkeypatch.setenv("REDIS_URL", "rediss://u:hunter2@h/3")
    monkeypatch.setenv("KAFKA__OPTIONS", json.dumps({"ssl.key.password": "hunter2", "linger.ms": 5}))
    monkeypatch.setenv("ASLEEP_API_KEY", "hunter2")
    rows = {row.name: row for row in in_force(load())}
    assert "hunter2" not in repr(rows)
    assert rows["DATABASE_URL"].value == "user=u dbname=x host=h port=1"
    assert rows["REDIS_URL"].value == "rediss://h:6379/3"
    assert rows["KAFKA__OPTIONS"].value == "ssl.key.password: [redacted], linger.ms: 5"
    assert rows["SOURCES"].value == "asleep: asleep for default, proven by api_key (x-api-key, keys: 1)"
    assert not rows["DATABASE_URL"].is_default
    assert rows["API_PORT"].is_default


def test_several_hosts_are_shown_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "postgresql://u:hunter2@h1:1,h2:2/x?target_session_attrs=read-write&oauth_client_secret=hunter2"
    monkeypatch.setenv("DATABASE_URL", url)
    (shown,) = [row.value for row in in_force(load()) if row.name == "DATABASE_URL"]
    assert shown == "user=u dbname=x host=h1,h2 port=1,2 target_session_attrs=read-write"


def test_every_scheme_is_shown_by_its_place_and_the_number_of_its_keys(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    schemes = [{"scheme": "none"}, {"scheme": "url_token", "secrets": ["hunter2", "hunter3"]}]
    schemes.append({"scheme": "stripe", "secrets": ["hunter2"], "header": "Terra-Signature"})
    monkeypatch.setenv("SOURCES", json.dumps({"s": {"vendor": "generic", "schemes": schemes}}))
    (row,) = [row for row in in_force(load()) if row.name == "SOURCES"]
    assert row.value == (
        "s: generic for default, proven by none and url_token (keys: 2) and stripe (terra-signature, keys: 1)"
    )
