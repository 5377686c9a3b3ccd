import json
from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict
from pydantic import SecretStr
from redis.connection import parse_url

from config.errors import SettingsError
from config.settings import Role, Settings, load
from config.webhook_schemes import ApiKeyScheme, HmacSha256Scheme

pytestmark = pytest.mark.usefixtures("nothing_set")
GENERIC = {"vendor": "generic", "schemes": [{"scheme": "hmac_sha256", "secrets": ["one", "two"]}]}


def database(settings: Settings) -> str | None:
    return None if settings.db.url is None else settings.db.url.get_secret_value()


def test_without_any_setting_the_defaults_hold() -> None:
    settings = load()
    assert settings.app.environment == "development"
    assert settings.kafka.bootstrap_servers == "127.0.0.1:9092"
    assert settings.sink.batch_rows == 20_000
    assert settings.sources == {}
    assert database(settings) is None


@pytest.mark.parametrize(
    ("name", "value", "path", "expected"),
    [
        ("SINK__BATCH_ROWS", "10", "sink.batch_rows", 10),
        ("sink__batch_rows", "10", "sink.batch_rows", 10),
        ("API_PORT", "0", "http.port", 0),
        ("API_HOST", "0.0.0.0", "http.host", "0.0.0.0"),
        ("MAX_CONNECTIONS", "5", "http.max_connections", 5),
        ("REQUEST_TIMEOUT", "2.5", "http.request_timeout_s", 2.5),
        ("ENVIRONMENT", "test", "app.environment", "test"),
        ("LOG_LEVEL", "debug", "app.log_level", "DEBUG"),
        ("ENABLE_METRICS", "false", "metrics.enabled", False),
        ("RELAY__KEEP_RAW", "no", "relay.keep_raw", False),
        ("KAFKA__BOOTSTRAP_SERVERS", "a:1, b:2", "kafka.bootstrap_servers", "a:1,b:2"),
        ("KAFKA__OPTIONS", '{"linger.ms": 5}', "kafka.options", {"linger.ms": 5}),
    ],
)
def test_nested_and_flat_names_reach_their_place(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, path: str, expected: object
) -> None:
    monkeypatch.setenv(name, value)
    branch, leaf = path.split(".")
    assert getattr(getattr(load(), branch), leaf) == expected


def test_an_empty_value_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SINK__BATCH_ROWS", "")
    monkeypatch.setenv("DATABASE_URL", "")
    assert load().sink.batch_rows == 20_000


def test_the_environment_wins_over_dotenv_over_secrets_over_the_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "settings.toml").write_text(
        "[sink]\nbatch_rows = 1\nbatch_ms = 1\nbatch_bytes = 1\ngroup_id = 'file'\n"
    )
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "sink__batch_rows").write_text("2\n")
    (tmp_path / "secrets" / "sink__batch_ms").write_text("2\n")
    (tmp_path / "secrets" / "SINK__BATCH_BYTES").write_text("2\n")
    (tmp_path / ".env").write_text("SINK__BATCH_ROWS=3\nSINK__BATCH_MS=3\nCONFIG_FILE=settings.toml\n")
    monkeypatch.setenv("SECRETS_DIR", "secrets")
    monkeypatch.setenv("SINK__BATCH_ROWS", "4")
    sink = load().sink
    assert (sink.batch_rows, sink.batch_ms, sink.batch_bytes, sink.group_id) == (4, 3, 2, "file")


def test_mounted_secret_directories_with_dot_files_can_be_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "..data").mkdir()
    (tmp_path / "..data" / "database_url").write_text("postgresql://u:s3cret@h/x\n")
    (tmp_path / "database_url").symlink_to(Path("..data") / "database_url")
    monkeypatch.setenv("SECRETS_DIR", str(tmp_path))
    assert database(load()) == "postgresql://u:s3cret@h/x"


def test_names_of_others_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("KAFKA", "DB", "APP", "HTTP", "KAFKA_PORT", "OTHER__NAME", "ROLE__X"):
        monkeypatch.setenv(name, "tcp://10.0.0.1:5432")
    assert load() == Settings()


def test_one_underscore_in_the_place_of_two_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("KAFKA_BOOTSTRAP_SERVERS", "kafka:9092")
    monkeypatch.setenv("db_url", "postgresql://h/x")
    (tmp_path / ".env").write_text("RELAY_SPOOL=false\n")
    with pytest.raises(SettingsError) as refused:
        load()
    assert str(refused.value).splitlines()[1:] == [
        "  DB_URL: is not read; the setting is DATABASE_URL",
        "  KAFKA_BOOTSTRAP_SERVERS: is not read; the setting is KAFKA__BOOTSTRAP_SERVERS",
        "  RELAY_SPOOL: is not read; the setting is RELAY__SPOOL",
    ]
    monkeypatch.setenv("KAFKA__BOOTSTRAP_SERVERS", "kafka:9092")
    (tmp_path / "settings.toml").write_text("[relay]\nspool = true\n")
    monkeypatch.setenv("CONFIG_FILE", "settings.toml")
    monkeypatch.setenv("DB_HOST", "h")
    assert load().relay.spool  # then the others are somebody else's


@pytest.mark.parametrize("role", ["relay", "backfill"])
def test_a_role_that_takes_events_needs_a_source(monkeypatch: pytest.MonkeyPatch, role: Role) -> None:
    with pytest.raises(SettingsError, match="SOURCES: no source is configured"):
        load(role)
    monkeypatch.setenv("ASLEEP_API_KEY", "key")
    assert load(role).sources.keys() == {"asleep"}


def test_parts_make_a_database_url_and_complete_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"HOST": "h", "PORT": "1", "NAME": "n", "USER": "u", "PASSWORD": "p w"}.items():
        monkeypatch.setenv(f"DB_{name}", value)
    alone = {"host": "h", "port": "1", "dbname": "n", "user": "u", "password": "p w"}
    assert conninfo_to_dict(database(load()) or "") == alone
    monkeypatch.setenv("DATABASE_URL", "postgresql://other@there:2/db")
    url_wins = {"host": "there", "port": "2", "dbname": "db", "user": "other", "password": "p w"}
    assert conninfo_to_dict(database(load()) or "") == url_wins


def test_a_whole_database_url_stays_as_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "postgresql://u:p%40ss@h:5432/n?sslmode=require"
    monkeypatch.setenv("DATABASE_URL", url)
    assert database(load()) == url


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u@h1:1,h2:2/x?target_session_attrs=read-write",
        "postgresql://[::1]:1,h2/x?target_session_attrs=primary",
        "host=h1,h2,h3 port=1 target_session_attrs=any",
        "host=h1,h2 hostaddr=127.0.0.1,127.0.0.2 target_session_attrs=read-write",
    ],
)
def test_a_database_url_may_name_several_hosts(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """And the parts complete it as they complete one host's."""
    monkeypatch.setenv("DATABASE_URL", url)
    assert database(load()) == url
    monkeypatch.setenv("DB_PASSWORD", "p w")
    assert conninfo_to_dict(database(load()) or "") == conninfo_to_dict(url) | {"password": "p w"}


@pytest.mark.parametrize(
    "url", ["redis://h", "redis://u:p@h:1/2", "redis://h?db=1", "unix:///a/b", "rediss://h"]
)
def test_what_the_redis_library_takes_is_taken(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    """The library itself is asked only about what it would look at: importing it takes long."""
    monkeypatch.setenv("REDIS_URL", url)
    assert load().redis.url.get_secret_value() == url
    assert parse_url(url)  # type: ignore[no-untyped-call]  # redis-py has no type here


def test_sources_of_the_file_and_the_environment_merge(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "s.toml").write_text(
        '[sources.rings]\nvendor = "generic"\n'
        '[[sources.rings.schemes]]\nscheme = "api_key"\nsecrets = ["k"]\nheader = "X-Ring"\n'
    )
    monkeypatch.setenv("CONFIG_FILE", "s.toml")
    monkeypatch.setenv("SOURCES", json.dumps({"generic": GENERIC}))
    sources = load().sources
    assert set(sources) == {"rings", "generic"}
    rings, generic = sources["rings"].schemes[0], sources["generic"].schemes[0]
    assert isinstance(rings, ApiKeyScheme)
    assert isinstance(generic, HmacSha256Scheme)
    assert (rings.header, generic.header) == ("x-ring", "x-signature")
    assert generic.keys() == [b"one", b"two"]


def test_an_asleep_key_alone_makes_the_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASLEEP_API_KEY", "key")
    asleep = load().sources["asleep"]
    assert (asleep.vendor, asleep.tenant) == ("asleep", "default")
    assert asleep.schemes == [ApiKeyScheme(scheme="api_key", secrets=[SecretStr("key")])]


def test_an_asleep_key_only_fills_in_what_its_source_leaves_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASLEEP_API_KEY", "key")
    monkeypatch.setenv("SOURCES", json.dumps({"asleep": {"vendor": "asleep", "tenant": "acme"}}))
    asleep = load().sources["asleep"]
    assert (asleep.tenant, asleep.schemes[0].keys()) == ("acme", [b"key"])
    monkeypatch.setenv("SOURCES", json.dumps({"asleep": GENERIC}))
    assert [scheme.scheme for scheme in load().sources["asleep"].schemes] == ["hmac_sha256"]


def test_settings_never_show_a_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASLEEP_API_KEY", "hunter2")
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:hunter2@h/x")
    monkeypatch.setenv("REDIS_URL", "redis://:hunter2@h/0")
    monkeypatch.setenv("KAFKA__OPTIONS", '{"ssl.key.password": "hunter2"}')
    settings = load()
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in settings.model_dump_json(exclude={"kafka": {"options"}})


def test_settings_can_not_be_changed_once_loaded() -> None:
    settings = load()
    with pytest.raises(ValueError, match="frozen"):
        settings.sink.batch_rows = 1
