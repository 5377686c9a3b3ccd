"""`session-relay simulate` against a relay and a sink that run."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import pytest

from config.embedded.services import EmbeddedServices
from config.sections import KafkaSettings
from session_relay.up.observer import Observer
from session_relay.up.roles import Role
from session_relay.up.setting import Ports, Setting
from tests.eventually import eventually

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
Stack = tuple[Setting, str, str, Observer]


@pytest.fixture
def stack(services: EmbeddedServices, topic: str, database_url: str, tmp_path: Path) -> Iterator[Stack]:
    """Both roles on a topic and database of their own: their setting, relay, database, what can be seen."""
    setting = Setting.drawn(Ports())
    own = {
        "DATABASE_URL": database_url,
        "KAFKA__EVENTS_TOPIC": topic,
        "KAFKA__DEAD_LETTERS_TOPIC": f"{topic}.dlq",
    }
    kafka = KafkaSettings(bootstrap_servers=services.addresses.kafka_bootstrap_servers, events_topic=topic)
    with ExitStack() as opened:
        for name in ("sink", "relay"):
            environment = setting.environment(name, services.addresses) | own
            role = opened.enter_context(Role(name, environment, tmp_path))
            role.wait_ready()
        observer = opened.enter_context(Observer(kafka, database_url, setting.tenant))
        yield setting, role.wait_url("relay_started"), database_url, observer


def simulate(environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    return subprocess.run(
        [sys.executable, "-m", "session_relay.cli", "simulate", *arguments],
        cwd=ROOT,
        env=inherited | dict(environment),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def keys(setting: Setting) -> dict[str, str]:
    asleep, generic = setting.credentials["asleep"], setting.credentials["generic"]
    return {
        "ASLEEP_API_KEY": asleep.api_key or "",
        "SIMULATE_ASLEEP_SIGNING_KEY": asleep.signing_key or "",
        "SIMULATE_GENERIC_SIGNING_KEY": generic.signing_key or "",
    }


def test_what_was_sent_is_in_the_table_field_by_field(stack: Stack) -> None:
    setting, relay_url, database_url, observer = stack
    before = observer.standing()
    environment = keys(setting) | {"DATABASE_URL": database_url}
    result = simulate(
        environment,
        "--url",
        relay_url,
        "--count",
        "300",
        "--check",
        "--json",
        "--tenant",
        setting.tenant,
    )
    assert result.returncode == 0, result.stderr
    verdict = json.loads(result.stdout)
    assert (verdict["sent"], verdict["acknowledged"], verdict["lost"]) == (300, 300, 0)
    eventually(lambda: observer.standing().lag == 0)  # what makes no row may come after the last that does
    gained = observer.standing().since(before)
    assert (gained.records, gained.lag, gained.unbalanced) == (300, 0, ())
    assert sum(gained.outcomes.values()) == 300
    assert gained.stored == verdict["stored"] > 20
    others = simulate(environment, "--url", relay_url, "--count", "20", "--check", "--within-s", "0")
    assert others.returncode == 1  # another tenant's rows were asked for
    assert "an acknowledged session has no row" in others.stderr


def test_a_wrong_key_is_refused_and_told_without_the_key(stack: Stack) -> None:
    _, relay_url, _, _ = stack
    environment = {"ASLEEP_API_KEY": "a-wrong-key-of-no-use"}
    result = simulate(environment, "--url", relay_url, "--count", "5")
    assert result.returncode == 1
    assert "was refused with status 401" in result.stderr
    assert "a-wrong-key" not in result.stderr


def test_a_relay_that_is_not_there_ends_it_with_the_first_patience() -> None:
    result = simulate(
        {"ASLEEP_API_KEY": "k"}, "--url", "http://127.0.0.1:9", "--count", "500", "--patience-s", "1"
    )
    assert result.returncode == 4
    assert "http://127.0.0.1:9 answers nothing: " in result.stderr
    assert "retry_scheduled" not in result.stderr  # counted in that line, not logged one by one


@pytest.mark.parametrize(
    ("arguments", "environment", "told"),
    [
        ([], {}, "no source takes part"),
        (["--check"], {"ASLEEP_API_KEY": "k"}, "--check needs DATABASE_URL"),
        (["--url", "foo"], {"ASLEEP_API_KEY": "k"}, "--url must be a URL such as"),
        (["--nights", "absent.jsonl"], {"ASLEEP_API_KEY": "k"}, "absent.jsonl: can't be read"),
    ],
)
def test_wrong_usage_is_told_in_a_sentence(
    arguments: list[str], environment: dict[str, str], told: str
) -> None:
    result = simulate(environment, *arguments)
    assert result.returncode == 2
    assert told in result.stderr
    assert "Traceback" not in result.stderr
