import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from config.errors import ExitCode, SettingsError
from config.settings import Role, load

pytestmark = pytest.mark.usefixtures("nothing_set")
STRONG = "0123456789abcdefghijklmnopqrstuv"


def problems(role: Role | None = None) -> list[str]:
    with pytest.raises(SettingsError) as caught:
        load(role)
    assert caught.value.exit_code == ExitCode.USAGE
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


def source(*schemes: Mapping[str, object]) -> str:
    return json.dumps({"s": {"vendor": "generic", "schemes": schemes}})


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("API_PORT", "65536", "API_PORT: should be less than or equal to 65535"),
        ("API_PORT", "-1", "API_PORT: should be greater than or equal to 0"),
        ("API_PORT", "http", "API_PORT: should be a valid integer, unable to parse string as an integer"),
        ("SINK__BATCH_ROWS", "0", "SINK__BATCH_ROWS: should be greater than or equal to 1"),
        ("RELAY__DEADLINE_S", "0", "RELAY__DEADLINE_S: should be greater than 0"),
        ("RELAY__DEADLINE_S", "nan", "RELAY__DEADLINE_S: should be a finite number"),
        ("ENVIRONMENT", "prod", "ENVIRONMENT: should be 'development', 'test' or 'production'"),
        ("KAFKA__BOOTSTRAP_SERVERS", "a:1,,b", "must be host:port, several separated by commas"),
        ("KAFKA__EVENTS_TOPIC", "a b", "KAFKA__EVENTS_TOPIC: String should match pattern"),
        ("KAFKA__EVENTS_TOPIC", "session.events.dlq", "KAFKA__DEAD_LETTERS_TOPIC must differ"),
        ("KAFKA__FOO", "1", "KAFKA__FOO: unknown"),
        ("SINK__BATCH_ROW", "1", "SINK__BATCH_ROW: unknown, did you mean SINK__BATCH_ROWS?"),
        ("HTTP__PORTT", "1", "HTTP__PORTT: unknown, did you mean HTTP__PORT?"),
        ("SINK__BATCH_ROWS__X", "1", "SINK__BATCH_ROWS: should be a valid integer"),
        ("DB__LOCK_TIMEOUT_S", "30", "DB__LOCK_TIMEOUT_S must be below DB__STATEMENT_TIMEOUT_S"),
        ("DB__POOL_MIN", "11", "DB__POOL_MIN must not be above DB__POOL_MAX"),
        ("REDIS_URL", "http://x", "REDIS_URL: must be a URL such as redis://host:6379/0"),
        ("DATABASE_URL", "mysql://x", "DATABASE_URL: must be a URL such as postgresql://"),
        ("DATABASE_URL", "postgresql://h:1,i:2/x", "DATABASE_URL: names several hosts, so it must say which"),
        ("DATABASE_URL", "hostaddr=127.0.0.1,127.0.0.2", "add target_session_attrs=read-write"),
        (
            "DATABASE_URL",
            "host=h,i,j port=1,2",
            "DATABASE_URL: must have as many ports as hosts, or one for all",
        ),
        ("DATABASE_URL", "postgresql://h:0/x", "DATABASE_URL: has a port that is none"),
        ("DATABASE_URL", "postgresql://u:p@h,v:q@i/x", "DATABASE_URL: has a port that is none"),
        ("DATABASE_URL", "target_session_attrs=standby", "target_session_attrs must be one of read-write, "),
        ("DATABASE_URL", "target_session_attrs=hunter2", "target_session_attrs must be one of read-write, "),
        ("REDIS_URL", "redis://h:x", "REDIS_URL: must be a URL such as redis://host:6379/0"),
        ("REDIS_URL", "redis://h?db=x", "REDIS_URL: must be a URL such as redis://host:6379/0"),
        ("DATABASE_URL", "postgresql+psycopg://x", "DATABASE_URL: the scheme must be postgresql://"),
        ("SOURCES", "{", "SOURCES: must be JSON"),
        ("SOURCES", "[]", "SOURCES: should be a valid dictionary"),
        ("SOURCES", '{"A/B": {}}', "a source's name must be 1 to 64 of a-z, 0-9, - and _"),
        ("SOURCES", '{"s": {"vendr": "asleep"}}', "SOURCES.s.vendr: unknown, did you mean SOURCES.s.vendor?"),
        ("SOURCES", f'{{"{"x" * 65}": {{}}}}', "a source's name must be 1 to 64 of a-z, 0-9, - and _"),
        (
            "SOURCES",
            '{"s": {"tenant": "' + "x" * 65 + '"}}',
            "tenant: String should have at most 64 characters",
        ),
        ("SOURCES", '{"s": {"tenant": "a\\u0000"}}', "SOURCES.s.tenant: must be printable characters only"),
        ("SOURCES", source(), "SOURCES.s.schemes: Value should have at least 1 item"),
        ("SOURCES", source({"scheme": "api_key"}), "SOURCES.s.schemes.0.secrets: needs at least one secret"),
        ("SOURCES", source({"scheme": "api_key", "secrets": [" "]}), "a secret must not be empty"),
        ("SOURCES", source({"scheme": "api_key", "heder": "a"}), "did you mean SOURCES.s.schemes.0.header?"),
        ("CONFIG_FILE", "absent.toml", "CONFIG_FILE: can't be read as TOML: No such file or directory"),
        ("SECRETS_DIR", "absent", "SECRETS_DIR: can't be read: No such file or directory"),
    ],
)
def test_a_wrong_setting_is_told_by_its_name(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, told: str
) -> None:
    monkeypatch.setenv(name, value)
    assert any(told in line for line in problems()), problems()


@pytest.mark.parametrize(
    ("scheme", "told"),
    [
        ({"scheme": "hunter2"}, "scheme: should be one of api_key, hmac_sha256, standard_webhooks, github"),
        ({}, "scheme: should be one of api_key, hmac_sha256, standard_webhooks, github, stripe, url_token"),
        ({"scheme": "api_key", "header": "a b"}, "header: must be the name of an HTTP header"),
        ({"scheme": "api_key", "header": "x-a\n"}, "header: must be the name of an HTTP header"),
        ({"scheme": "api_key", "prefix": "hunter2"}, "prefix: does not belong to scheme api_key"),
        ({"scheme": "none", "secrets": ["hunter2"]}, "secrets: does not belong to scheme none"),
        ({"scheme": "github", "tolerance_s": 1}, "tolerance_s: does not belong to scheme github"),
        (
            {"scheme": "standard_webhooks", "header": "x"},
            "header: does not belong to scheme standard_webhooks",
        ),
        ({"scheme": "url_token", "header": "x"}, "header: does not belong to scheme url_token"),
        ({"scheme": "stripe", "tolerence_s": 1}, "unknown, did you mean SOURCES.s.schemes.0.tolerance_s?"),
        ({"scheme": "stripe", "tolerance_s": 0}, "tolerance_s: should be greater than 0"),
        ({"scheme": "stripe", "tolerance_s": 86_401}, "tolerance_s: should be less than or equal to 86400"),
        ({"scheme": "hmac_sha256", "encoding": "hunter2"}, "encoding: should be 'hex' or 'base64'"),
        ({"scheme": "hmac_sha256", "separator": "."}, "separator: is of no use without timestamp_header"),
        ({"scheme": "hmac_sha256", "timestamp_unit": "ms"}, "timestamp_unit: is of no use without"),
        ({"scheme": "hmac_sha256", "tolerance_s": 60}, "tolerance_s: is of no use without"),
        ({"scheme": "hmac_sha256", "timestamp_header": "X-Signature"}, "timestamp_header: must differ from"),
        ({"scheme": "hmac_sha256", "prefix": "sha256= "}, "prefix: String should match pattern"),
        ({"scheme": "hmac_sha256", "prefix": "sha256=\n"}, "prefix: String should match pattern"),
        ({"scheme": "standard_webhooks", "secrets": ["hunter2hunter2hunter2"]}, "whsec_ followed by base64"),
        ({"scheme": "standard_webhooks", "secrets": ["hunter2hunter2ab"]}, "whsec_ followed by base64"),
        ({"scheme": "standard_webhooks", "secrets": ["whsec_hunter2"]}, "whsec_ followed by base64"),
        ({"scheme": "standard_webhooks", "secrets": ["whsec_"]}, "whsec_ followed by base64"),
        ({"scheme": "standard_webhooks", "secrets": ["whsec_ß"]}, "whsec_ followed by base64"),
        ({"scheme": "standard_webhooks", "secrets": ["whsec_aHVu dGVyMg=="]}, "whsec_ followed by base64"),
        ({"scheme": "url_token", "secrets": ["hunter2/hunter2"]}, "secrets: a token must be of A-Z a-z 0-9"),
        ({"scheme": "url_token", "secrets": [".hunter2"]}, "secrets: a token must be of A-Z a-z 0-9"),
        ({"scheme": "url_token", "secrets": ["hunter2\n"]}, "secrets: a token must be of A-Z a-z 0-9"),
        ({"scheme": "url_token", "secrets": ["batch"]}, "secrets: a token must be of A-Z a-z 0-9"),
    ],
)
def test_a_wrong_scheme_is_told_by_its_field_and_without_its_value(
    monkeypatch: pytest.MonkeyPatch, scheme: dict[str, object], told: str
) -> None:
    strong = f"whsec_{STRONG}" if scheme.get("scheme") == "standard_webhooks" else STRONG
    bare = {} if scheme.get("scheme", "none") in {"none", "hunter2"} else {"secrets": [strong]}
    monkeypatch.setenv("SOURCES", source({"scheme": "none"}, {**bare, **scheme}))
    (line,) = [line for line in problems() if line.startswith("SOURCES.s.schemes.1.")]
    assert told.replace(".schemes.0", ".schemes.1") in line
    assert "hunter2" not in line
    assert STRONG not in line


def test_unknown_names_in_the_file_are_problems(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text("[sinc]\nbatch_rows = 1\n[sink]\nrows = 1\n")
    monkeypatch.setenv("CONFIG_FILE", "s.toml")
    assert problems() == ["SINC: unknown, did you mean SINK?", "SINK__ROWS: unknown"]


def test_a_broken_file_is_told_by_its_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text("[sink]\nbatch_rows = \n")
    monkeypatch.setenv("CONFIG_FILE", "s.toml")
    assert problems() == ["CONFIG_FILE: can't be read as TOML: Invalid value (at line 2, column 14)"]


def test_production_refuses_a_weak_verification_token(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = {"vendor": "oura", "schemes": [{"scheme": "api_key", "secrets": [STRONG]}]}
    monkeypatch.setenv("DATABASE_URL", "postgresql://h/x")
    monkeypatch.setenv("ENVIRONMENT", "production")
    monkeypatch.setenv("SOURCES", json.dumps({"s": entry | {"verification_tokens": [STRONG]}}))
    load("relay")
    monkeypatch.setenv("SOURCES", json.dumps({"s": entry | {"verification_tokens": ["changeme"]}}))
    assert ["verification token" in line for line in problems()] == [True]


def test_a_registrys_password_needs_its_user_and_in_production_tls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://h/x")
    monkeypatch.setenv("SCHEMA_REGISTRY_URL", "http://registry:8081/apis/ccompat/v7/")
    monkeypatch.setenv("SCHEMA_REGISTRY__PASSWORD", "hunter2")
    assert ["must be set together" in line for line in problems()] == [True]
    monkeypatch.setenv("SCHEMA_REGISTRY__USERNAME", "relay")
    assert load().schema_registry.url == "http://registry:8081/apis/ccompat/v7"
    monkeypatch.setenv("ENVIRONMENT", "production")
    (line,) = problems()
    assert "must begin with https://" in line
    assert "hunter2" not in line
    monkeypatch.setenv("SCHEMA_REGISTRY_URL", "https://registry")
    assert load().schema_registry.register_schema is False


def test_every_problem_is_told_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    monkeypatch.setenv("API_PORT", "x")
    monkeypatch.setenv("SINK__BATCH_ROWS", "0")
    monkeypatch.setenv("KAFKA__OPTIONS", '{"acks": 1, "foo": 2, "linger.ms": "x"}')
    monkeypatch.setenv(
        "SOURCES", json.dumps({"open": {"vendor": "generic", "schemes": [{"scheme": "none"}]}})
    )
    monkeypatch.setenv("CONFIG_FILE", "absent.toml")
    names = [line.split(":")[0] for line in problems("sink")]
    assert names == [
        "API_PORT",
        "CONFIG_FILE",
        "DATABASE_URL",
        "KAFKA__OPTIONS",
        "SINK__BATCH_ROWS",
        "SOURCES",
    ]
    options = next(line for line in problems("sink") if line.startswith("KAFKA__OPTIONS"))
    assert all(name in options for name in ("acks", "foo", "linger.ms"))


@pytest.mark.parametrize(
    "schemes",
    [
        [{"scheme": "none"}],
        [{"scheme": "api_key", "secrets": [STRONG]}, {"scheme": "none"}],
        [{"scheme": "api_key", "secrets": ["short"]}],
        [{"scheme": "api_key", "secrets": [STRONG, "your-secret-key-here"]}],
        [{"scheme": "hmac_sha256", "secrets": ["short"]}],
        [{"scheme": "hmac_sha256", "secrets": [STRONG, "aaaaaaaaaaaaaaaaaaaaaaaa"]}],
        [{"scheme": "hmac_sha256", "secrets": ["please-change-me-please"]}],
        [{"scheme": "github", "secrets": ["0123456789abcde"]}],
        [{"scheme": "url_token", "secrets": ["short"]}],
        [{"scheme": "stripe", "secrets": ["whsec_0123456789"]}],
        [{"scheme": "stripe", "secrets": ["whsec_aaaaaaaaaaaaaaaaaaaa"]}],
        [{"scheme": "standard_webhooks", "secrets": ["whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI="]}],
        [{"scheme": "standard_webhooks", "secrets": ["whsec_eW91ci1zZWNyZXQta2V5LWhlcmUtMDEyMzQ1Njc4OQ=="]}],
    ],
)
def test_production_refuses_what_development_takes(
    monkeypatch: pytest.MonkeyPatch, schemes: list[dict[str, Any]]
) -> None:
    monkeypatch.setenv("SOURCES", source(*schemes))
    monkeypatch.setenv("DATABASE_URL", "postgresql://h/x")
    assert load().sources["s"].vendor == "generic"
    monkeypatch.setenv("ENVIRONMENT", "production")
    (line,) = problems()
    assert line.startswith(f"SOURCES: s.schemes.{len(schemes) - 1}")
    assert not any(secret in line for one in schemes for secret in one.get("secrets", ()))


def test_production_takes_strong_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENVIRONMENT", "production")
    monkeypatch.setenv("DATABASE_URL", "postgresql://h/x")
    plain = ("hmac_sha256", "api_key", "github", "stripe", "url_token")
    schemes = [{"scheme": one, "secrets": [STRONG]} for one in plain]
    standard = {"scheme": "standard_webhooks", "secrets": [f"whsec_{STRONG}"]}
    monkeypatch.setenv("SOURCES", source(*schemes, standard))
    assert load("sink").app.environment == "production"


def test_only_roles_that_need_postgres_ask_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASLEEP_API_KEY", "key")
    assert load("relay").db.url is None
    assert problems("sink") == ["DATABASE_URL: not set, and this role can't work without it"]


@pytest.mark.parametrize("role", [None, "relay"])
def test_production_asks_every_role_for_it(monkeypatch: pytest.MonkeyPatch, role: Role | None) -> None:
    """Told with all else, so also while other settings are wrong."""
    monkeypatch.setenv("ENVIRONMENT", "production")
    monkeypatch.setenv("ASLEEP_API_KEY", "a-key-of-more-than-sixteen")
    assert problems(role) == ["DATABASE_URL: not set, which production refuses for every role"]
    monkeypatch.setenv("API_PORT", "x")
    assert [line.split(":")[0] for line in problems(role)] == ["API_PORT", "DATABASE_URL"]
    monkeypatch.delenv("API_PORT")
    monkeypatch.setenv("DB_HOST", "h")
    assert load(role).app.environment == "production"


def test_no_problem_repeats_a_value(monkeypatch: pytest.MonkeyPatch) -> None:
    wrong = {
        "DATABASE_URL": "host=h password=hunter2 nonsense",
        "REDIS_URL": "http://:hunter2@h",
        "KAFKA__OPTIONS": '{"security.protocol": "hunter2", "ssl.key.password": "hunter2", "x": "hunter2"}',
        "SOURCES": json.dumps({"s": {"vendor": "hunter2", "tenant": ["hunter2"], "schemes": "hunter2"}}),
        "API_PORT": "hunter2",
        "DB_PASSWORD": "hunter2",
        "ENVIRONMENT": "hunter2",
    }
    for name, value in wrong.items():
        monkeypatch.setenv(name, value)
    told = "\n".join(problems())
    assert "hunter2" not in told
    assert all(name in told for name in wrong if name != "DB_PASSWORD")


def test_what_is_wrong_with_several_settings_together_is_told_beside_what_is_wrong_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTP__TLS_CERT", "/cert.pem")  # without its key
    monkeypatch.setenv("API_PORT", "http")
    monkeypatch.setenv("KAFKA__EVENTS_TOPIC", "session.events.dlq")  # both topics in one
    monkeypatch.setenv("KAFKA__GROUP_PROTOCOL", "quantum")
    monkeypatch.setenv("ENVIRONMENT", "production")
    monkeypatch.setenv("LOG_LEVEL", "LOUD")
    monkeypatch.setenv("DATABASE_URL", "postgresql://db/sessions")
    monkeypatch.setenv("SOURCES", source({"scheme": "none"}))
    told = problems()
    assert [line.partition(":")[0] for line in told] == [
        "API_PORT",
        "HTTP",
        "KAFKA",
        "KAFKA__GROUP_PROTOCOL",
        "LOG_LEVEL",
        "SOURCES",
    ], told
    assert "HTTP__TLS_CERT and HTTP__TLS_KEY must be set together" in told[1]
    assert "scheme none" in told[-1]
