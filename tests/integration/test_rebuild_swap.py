"""What a swap refuses, what it takes along, and that a table is not turned back by it."""

import json
import random

import msgspec
import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import TopicPartition

from config.errors import SettingsError, StoppedForSafety
from consumers.replay.swap import swapped
from schemas.codec import encode
from schemas.event import EventType
from schemas.identity import event_id
from tests.events import made, spread
from tests.eventually import PATIENCE_S
from tests.rebuilding import begun
from tests.replay_commands import ends, run, told
from tests.sink_rig import SinkRig

pytestmark = pytest.mark.integration

SWAP = ("replay", "--rebuild", "--swap", "--execute")
ROWS = "SELECT session_id, event_id::text, sequence, created_at FROM sessions ORDER BY 1"


def test_nothing_is_turned_back_or_lost_beyond_the_log(rig: SinkRig, admin: AdminClient) -> None:
    """Method: the newest state is removed from the log, a stale one is behind it; a topic of long ago."""
    rig.publish([made(session=f"s-{n}", kind=EventType.SESSION_COMPLETE, sequence=5) for n in range(30)])
    rig.publish([made(session=f"s-{n}", sequence=1) for n in range(20)])
    rig.let_write(50)
    rig.query("UPDATE sessions SET kafka_topic_id = gen_random_uuid() WHERE session_id = 's-29'")
    rig.query("UPDATE sessions SET created_at = created_at - interval '9 days'")
    before = rig.query(ROWS)
    home = next(number for number, end in ends(admin, rig.topic).items() if end)
    for one in admin.delete_records([TopicPartition(rig.topic, home, 30)]).values():
        one.result(PATIENCE_S)
    done = told(rig, *SWAP)
    assert (done["swapped"], done["beyond_the_log"]) == (True, 30)
    assert rig.query(ROWS) == before
    rig.publish([made(session="s-3", kind=EventType.SESSION_COMPLETE, sequence=6), made(session="new")])
    rig.let_write(52)
    assert rig.query("SELECT sequence FROM sessions WHERE session_id = 's-3'") == [(6,)]
    assert rig.query("SELECT count(*) FROM sessions") == [(31,)]
    rig.assert_accounted()


@pytest.mark.parametrize("slowly", [False, True], ids=["at once", "in pieces"])
def test_what_sinks_wrote_after_the_last_look_is_folded_behind_the_lock(rig: SinkRig, slowly: bool) -> None:
    """Method: the steps one by one, with new sessions and revisions between catching up and the swap."""
    log = spread(random.Random(6), 600, 30)
    rig.publish(log[:400])
    rig.start()
    rig.wait_until_done(400)
    rig.query('CREATE INDEX "sessions_byUser" ON sessions (user_id)')
    with begun(rig, slowly=slowly) as (building, replay):
        building.catch_up(lambda _: None)
        building.finish(lambda _: None)
        since = building.finish(lambda _: None)  # as a command does that goes on
        rig.publish(log[400:])
        rig.wait_until_done(600)
        created = rig.query("SELECT session_id, created_at FROM sessions ORDER BY 1")
        assert swapped(building, replay, since)
    rig.assert_as_expected(log)
    assert rig.query("SELECT session_id, created_at FROM sessions ORDER BY 1") == created


def test_rows_that_are_not_in_the_log_are_lost_only_if_that_is_allowed(rig: SinkRig) -> None:
    rig.publish([made(session=f"s-{n}") for n in range(5)])
    rig.let_write(5)
    rig.query("CREATE TEMP TABLE invented AS SELECT * FROM sessions LIMIT 1")
    rig.query("UPDATE invented SET session_id = 'invented'")
    rig.query("INSERT INTO sessions SELECT * FROM invented")
    error = run(rig, *SWAP).exception
    assert isinstance(error, StoppedForSafety)
    assert rig.query("SELECT count(*) FROM sessions") == [(6,)]
    assert told(rig, *SWAP, "--allow-fewer")["swapped"] is True
    assert rig.query("SELECT count(*) FROM sessions") == [(5,)]


def test_triggers_and_views_go_along_and_what_cannot_is_refused(rig: SinkRig) -> None:
    rig.publish([made(session=f"s-{n}") for n in range(5)])
    rig.let_write(5)
    rig.query("CREATE VIEW inner_view WITH (security_barrier = true) AS SELECT * FROM sessions")
    rig.query("CREATE VIEW outer_view AS SELECT count(*) AS nights FROM inner_view, dead_letters")
    rig.query(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;"
        "CREATE TRIGGER refused BEFORE INSERT ON sessions FOR EACH ROW"
        " WHEN (NEW.session_id = 'beast') EXECUTE FUNCTION refuse()"
    )
    rig.query("CREATE MATERIALIZED VIEW fixed AS SELECT * FROM sessions")
    rig.query("CREATE FUNCTION score(s sessions) RETURNS bigint LANGUAGE sql AS 'SELECT s.sequence'")
    rig.query("CREATE TABLE kept (nights sessions[])")
    error = run(rig, *SWAP).exception
    assert isinstance(error, StoppedForSafety)
    for name in ("materialized view fixed", "function score(sessions)", "table kept"):
        assert name in str(error)
    assert rig.query("SELECT count(*) FROM replays") == [(0,)]
    rig.query("DROP MATERIALIZED VIEW fixed; DROP FUNCTION score; DROP TABLE kept")
    assert told(rig, *SWAP)["swapped"] is True
    rig.query("DROP SCHEMA replaced_1 CASCADE")
    assert rig.query("SELECT nights FROM outer_view") == [(0,)]
    assert rig.query("SELECT count(*) FROM inner_view") == [(5,)]
    options = "SELECT reloptions FROM pg_class WHERE relname = 'inner_view'"
    assert rig.query(options) == [(["security_barrier=true"],)]
    rig.publish([made(session="beast")])
    rig.let_write(6)
    assert rig.sums()["parked"] == 1


def test_raw_is_read_by_todays_normaliser(rig: SinkRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Method: events that claim to have been read by a normaliser that saw no figures."""
    secret = {"scheme": "hmac_sha256", "secrets": ["a-signing-key-of-your-own"]}
    monkeypatch.setenv("SOURCES", json.dumps({"mine": {"vendor": "generic", "schemes": [secret]}}))
    body = {"type": "SESSION_COMPLETE", "user_id": "u-1", "session_id": "s-1", "timezone": "Asia/Seoul"}
    told_then = msgspec.structs.replace(
        made(session="s-1", kind=EventType.SESSION_COMPLETE), source="mine", raw=json.dumps(body).encode()
    )
    told_then = msgspec.structs.replace(told_then, event_id=event_id(told_then))
    broken = msgspec.structs.replace(made(session="s-2"), source="mine", raw=b"no JSON")
    rig.publish_bytes([(b"u-1", encode(event)) for event in (told_then, broken, made(session="s-3"))])
    rig.let_write(3)
    done = told(rig, *SWAP, "--renormalise")
    assert (done["renormalised"], done["kept"]) == (1, 2)
    assert {"timezone", "sleep_stages"} <= done["difference"]["columns"].keys()
    assert done["difference"]["differing"] == 1
    rows = rig.query("SELECT session_id, timezone, event_id::text FROM sessions ORDER BY 1")
    assert rows[0] == ("s-1", "Asia/Seoul", told_then.event_id)


def test_swap_alone_is_wrong_usage(rig: SinkRig) -> None:
    assert isinstance(run(rig, "replay", "--swap", "--topic", "x").exception, SettingsError)
    assert isinstance(run(rig, "replay", "--swap").exception, SettingsError)
