"""`session-relay backfill` as people call it: what it publishes, says and refuses."""

import json
from pathlib import Path

import httpx
import pytest

from config.embedded.services import EmbeddedServices
from config.errors import ExitCode
from schemas.codec import decode
from tests.backfill_process import BackfillProcess
from tests.deliveries import API_KEY, SIGNING_KEY, as_body, signed
from tests.eventually import eventually
from tests.fake_asleep import KEY, FakeAsleep, Manners
from tests.relay_process import RelayProcess, records

pytestmark = pytest.mark.integration


def test_a_night_is_the_same_event_by_webhook_and_by_backfill(
    services: EmbeddedServices, topic: str, tmp_path: Path
) -> None:
    kafka = services.addresses.kafka_bootstrap_servers
    fake = FakeAsleep(nights=2)
    answered = []
    with RelayProcess.running(tmp_path, kafka, topic) as relay:
        for number in range(2):
            data = fake.data(0, number) | {"user_id": fake.user(0)}
            data["session_id"] = data["session"]["id"]
            body = as_body({"event": "SESSION_COMPLETE", "version": "V3", "data": data})
            answered += relay.post("/webhooks/asleep", body, signed(body)).json()["event_ids"]
    with fake.serving():
        backfill = BackfillProcess(tmp_path, fake, kafka, topic, "--user", fake.user(0))
        assert backfill.wait() == 0, backfill.log
    events = [decode(record.value() or b"") for record in records(kafka, topic)]
    assert len(events) == 4
    assert [event.event_id for event in events] == answered * 2
    first, again = events[0], events[2]
    assert again.raw is not None
    assert json.loads(again.raw)["result"]["session"]["id"] == first.session_id
    headers = [dict(record.headers() or []) for record in records(kafka, topic)]
    assert headers[0]["ce_id"] == headers[2]["ce_id"]
    assert headers[0]["ce_time"] == headers[2]["ce_time"]


def test_days_and_unfinished_sessions_are_left_out(
    services: EmbeddedServices, topic: str, tmp_path: Path
) -> None:
    kafka = services.addresses.kafka_bootstrap_servers
    fake = FakeAsleep(nights=9)
    fake.unfinished = {fake.session_ids(0)[4]: "OPEN"}
    days = ("--from", "2026-09-03", "--to", "2026-09-06")
    with fake.serving():
        for _ in range(2):  # a user with something unfinished is looked at again
            backfill = BackfillProcess(tmp_path, fake, kafka, topic, "--user", fake.user(0), *days)
            assert backfill.wait() == 0, backfill.log
            figures = backfill.figures
            assert (figures["users_unfinished"], figures["sessions_unfinished"]) == (1, 1)
            assert figures["sessions_published"] == 3
    found = [decode(record.value() or b"").session_id for record in records(kafka, topic)]
    assert found == [fake.session_ids(0)[n] for n in (2, 3, 5)] * 2


def test_the_sidecar_tells_how_it_goes(services: EmbeddedServices, topic: str, tmp_path: Path) -> None:
    kafka = services.addresses.kafka_bootstrap_servers
    fake = FakeAsleep(users=3, nights=100, manners=Manners(throttled=0.1))
    with fake.serving():
        users = [word for user in fake.ids() for word in ("--user", user)]
        backfill = BackfillProcess(tmp_path, fake, kafka, topic, *users, BACKFILL__RATE_PER_S="40")
        port = backfill.told("sidecar_started")["port"]
        eventually(lambda: len(fake.asked) > 40)
        text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
        ready = httpx.get(f"http://127.0.0.1:{port}/readyz")
        backfill.end()
    assert ready.status_code == 200
    assert set(ready.json()["dependencies"]) == {"kafka", "asleep"}
    told = dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    assert float(told["backfill_users_left"]) == 3
    assert float(told['backfill_requests_total{outcome="good"}']) > 20
    assert float(told['backfill_requests_total{outcome="throttled"}']) > 0
    assert float(told['backfill_sessions_total{outcome="published"}']) > 20
    assert float(told['breaker_state{name="asleep"}']) == 0
    assert 'build_info{role="backfill"' in text
    assert not [line for line in text.splitlines() if "sleeper" in line]


def test_a_wrong_key_ends_it_at_once_and_is_not_shown(
    services: EmbeddedServices, topic: str, tmp_path: Path
) -> None:
    kafka = services.addresses.kafka_bootstrap_servers
    fake = FakeAsleep(users=5)
    with fake.serving():
        users = [word for user in fake.ids() for word in ("--user", user)]
        wrong = BackfillProcess(tmp_path, fake, kafka, topic, *users, ASLEEP_API_KEY="hunter2-hunter2")
        assert wrong.wait() == ExitCode.USAGE
    assert "ASLEEP_API_KEY" in wrong.log
    assert "hunter2" not in wrong.log
    assert len(fake.asked) <= 5


SOURCES = {"mine": {"vendor": "generic", "schemes": [{"scheme": "hmac_sha256", "secrets": [SIGNING_KEY]}]}}
NAMED = {
    "night": {"vendor": "asleep", "tenant": "acme", "schemes": [{"scheme": "api_key", "secrets": [API_KEY]}]}
}


@pytest.mark.parametrize(
    ("arguments", "settings", "told"),
    [
        ((), {}, "no user is named"),
        (("--users", "absent.txt"), {}, "can't be read"),
        (("--user", "u", "--from", "2026-10-02", "--to", "2026-10-01"), {}, "--to is before --from"),
        (("--user", "u", "--from", "2026-13-01"), {}, "2026-13-01"),
        (("--user", "u", "--source", "other"), {}, "has no source other"),
        (("--user", "u", "--source", "mine"), {"SOURCES": json.dumps(SOURCES)}, "no API to fetch from"),
        (
            ("--user", "u", "--source", "night"),
            {"SOURCES": json.dumps(NAMED), "ASLEEP_API_KEY": ""},
            "ASLEEP_API_KEY",
        ),
        (("--user", "u"), {"ASLEEP_API_KEY": "schlüssel-für-alle"}, "visible ASCII"),
        (("--user", "u"), {"KAFKA__EVENTS_TOPIC": "no-such-topic"}, "topics apply --execute"),
        (("--user", "u"), {"BACKFILL__RATE_PER_S": "0"}, "BACKFILL__RATE_PER_S"),
        (
            ("--user", "u"),
            {"ENVIRONMENT": "production", "DATABASE_URL": "dbname=x"},
            "ASLEEP_BASE_URL must begin",
        ),
    ],
)
def test_a_wrong_usage_is_told_before_anything_is_asked(
    services: EmbeddedServices,
    topic: str,
    tmp_path: Path,
    arguments: tuple[str, ...],
    settings: dict[str, str],
    told: str,
) -> None:
    fake = FakeAsleep()
    with fake.serving():
        kafka = services.addresses.kafka_bootstrap_servers
        backfill = BackfillProcess(tmp_path, fake, kafka, topic, *arguments, **settings)
        assert backfill.wait() == ExitCode.USAGE, backfill.log
    assert told in backfill.log
    assert fake.asked == []


def test_a_source_of_another_name_gives_its_name_and_tenant(
    services: EmbeddedServices, topic: str, tmp_path: Path
) -> None:
    kafka = services.addresses.kafka_bootstrap_servers
    fake = FakeAsleep()
    with fake.serving():
        backfill = BackfillProcess(
            tmp_path,
            fake,
            kafka,
            topic,
            *("--user", fake.user(0), "--source", "night"),
            SOURCES=json.dumps(NAMED),
            ASLEEP_API_KEY="",
            BACKFILL__ASLEEP_API_KEY=KEY,
            RELAY__KEEP_RAW="false",
        )
        assert backfill.wait() == 0, backfill.log
    (event,) = [decode(record.value() or b"") for record in records(kafka, topic)]
    assert (event.source, event.tenant, event.raw) == ("night", "acme", None)
