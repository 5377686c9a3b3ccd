"""A table folded anew beside the live one: it is the same, and what differs is named."""

import random

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import TopicPartition

from config.errors import RelayError, SettingsError
from schemas.event import EventType
from tests.events import expected_of, history, made
from tests.eventually import PATIENCE_S
from tests.replay_commands import ends, run, told, untouched
from tests.sink_rig import SinkRig

pytestmark = pytest.mark.integration

NOTHING = {"only_in_log": 0, "only_in_table": 0, "differing": 0, "columns": {}, "turned_back": 0}
ROWS = "SELECT session_id, event_id::text, applied_event_ids::text[] FROM {}.sessions"


def rows(rig: SinkRig, schema: str) -> dict[str, tuple[str, list[str]]]:
    return {session: (winner, ids) for session, winner, ids in rig.query(ROWS.format(schema))}


def stored(rig: SinkRig, count: int, sessions: int = 200) -> None:
    """A log that a sink has written, which then ended."""
    log = history(random.Random(3), count, sessions=sessions)
    rig.publish(log)
    sink = rig.start()
    rig.wait_until_done(count, within_s=90)
    sink.terminate()
    assert sink.wait(30) == 0


def test_the_same_log_gives_the_same_table(rig: SinkRig, admin: AdminClient) -> None:
    log = history(random.Random(3), 3_000, sessions=200)
    rig.publish(log)
    rig.publish_bytes([(b"u-1", b"poison")])
    sink = rig.start()
    rig.wait_until_done(len(log) + 1, within_s=90)
    sink.terminate()
    assert sink.wait(30) == 0
    topics = [rig.topic, f"{rig.topic}.dlq"]
    before = untouched(rig, admin, topics)
    plan = told(rig, "replay", "--rebuild")
    assert (plan["records"], plan["beyond_the_log"], plan["executed"]) == (len(log) + 1, 0, False)
    assert untouched(rig, admin, topics) == before
    done = told(rig, "replay", "--rebuild", "--execute")
    assert done["difference"] == NOTHING
    assert rows(rig, "rebuild_1") == rows(rig, "public") == expected_of(log).rows
    outcomes = "partition, written, duplicate, stale, passed, parked, gaps, next_offset"
    of_topic = f"topic = '{rig.topic}' AND next_offset > 0 ORDER BY 1"
    sums = f"SELECT {outcomes} FROM {{}}.consumer_offsets WHERE {of_topic}"
    assert rig.query(sums.format("rebuild_1")) == rig.query(sums.format("public"))
    after = untouched(rig, admin, topics)
    assert (after["groups"], after["offsets"], after["ends"]) == tuple(
        before[name] for name in ("groups", "offsets", "ends")
    )
    assert told(rig, "replays", "cancel", 1, "--execute")["cancelled"] == 1
    assert untouched(rig, admin, topics)["schemas"] == before["schemas"]


def test_the_difference_names_exactly_the_rows_that_were_damaged(rig: SinkRig) -> None:
    """Method: of 60 random rows 20 lose a figure, 20 are turned back, 10 are gone; 10 were invented."""
    stored(rig, 2_000)
    chance = random.Random(8)
    sessions = [name for (name,) in rig.query("SELECT session_id FROM sessions ORDER BY 1")]
    picked = chance.sample(sessions, 50)
    parts = picked[:20], picked[20:40], picked[40:]
    names = [f"({', '.join(repr(name) for name in part)})" for part in parts]
    changed = "sleep_stages = '\\x03', attributes = '{\"a\": \"b\"}'"
    rig.query(f"UPDATE sessions SET {changed} WHERE session_id IN {names[0]}")
    rig.query(f"UPDATE sessions SET sequence = sequence - 9 WHERE session_id IN {names[1]}")
    rig.query(f"DELETE FROM sessions WHERE session_id IN {names[2]}")
    rig.query("CREATE TEMP TABLE invented AS SELECT * FROM sessions ORDER BY session_id LIMIT 10")
    rig.query("UPDATE invented SET session_id = 'invented-' || session_id")
    rig.query("INSERT INTO sessions SELECT * FROM invented")
    done = told(rig, "replay", "--rebuild", "--execute", "--examples", 100)
    counts = done["difference"]
    assert (counts["only_in_log"], counts["only_in_table"], counts["differing"]) == (10, 10, 40)
    assert counts["columns"] == {"attributes": 20, "sequence": 20, "sleep_stages": 20}
    by_kind: dict[str, set[str]] = {}
    for one in done["examples"]:
        by_kind.setdefault(one["kind"], set()).add(one["session_id"])
        assert "table" not in one
    assert by_kind["differing"] == set(picked[:40])
    assert by_kind["only_in_log"] == set(picked[40:])
    assert all(name.startswith("invented-") for name in by_kind["only_in_table"])
    plain = run(rig, "replay", "--rebuild", "--execute", "--examples", 3).stdout
    assert plain.count("\ndiffering ") == 3
    shown = told(rig, "replay", "--rebuild", "--execute", "--examples", 1, "--show-values")
    assert {"table", "log"} <= set(shown["examples"][0])


def test_rows_that_are_older_than_the_log_stay(rig: SinkRig, admin: AdminClient) -> None:
    """Method: the newest state is removed from the log, a stale one of the same session is behind it."""
    newest = [made(session=f"s-{n}", kind=EventType.SESSION_COMPLETE, sequence=5) for n in range(30)]
    stale = [made(session=f"s-{n}", sequence=1) for n in range(20)]
    rig.publish(newest)
    home = max(ends(admin, rig.topic).items(), key=lambda at: at[1])[0]
    rig.publish(stale)
    sink = rig.start()
    rig.wait_until_done(50)
    sink.terminate()
    assert sink.wait(30) == 0
    for one in admin.delete_records([TopicPartition(rig.topic, home, 30)]).values():
        one.result(PATIENCE_S)
    plan = told(rig, "replay", "--rebuild")
    assert (plan["records"], plan["beyond_the_log"]) == (20, 30)
    done = told(rig, "replay", "--rebuild", "--execute")
    assert (done["beyond_the_log"], done["difference"]) == (30, NOTHING)
    assert rows(rig, "rebuild_1") == rows(rig, "public")


def test_the_count_of_older_rows_is_noted_with_them(rig: SinkRig, admin: AdminClient) -> None:
    """Method: the run ends when the count is to be noted, as if it were killed there."""
    rig.publish([made(session=f"s-{n}") for n in range(30)])
    sink = rig.start()
    rig.wait_until_done(30)
    sink.terminate()
    assert sink.wait(30) == 0
    held = ends(admin, rig.topic)
    for one in admin.delete_records([TopicPartition(rig.topic, n, e) for n, e in held.items()]).values():
        one.result(PATIENCE_S)
    rig.query(
        "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;"
        "CREATE TRIGGER refused BEFORE UPDATE ON replays FOR EACH ROW"
        " WHEN (NEW.figures ? 'beyond_the_log') EXECUTE FUNCTION refuse()"
    )
    assert run(rig, "replay", "--rebuild", "--execute").exception is not None
    rig.query("DROP TRIGGER refused ON replays")
    done = told(rig, "replay", "--rebuild", "--execute")
    assert (done["replay"], done["beyond_the_log"], done["difference"]) == (1, 30, NOTHING)


def test_what_retention_takes_between_two_runs_is_told(rig: SinkRig, admin: AdminClient) -> None:
    stored(rig, 300)
    told(rig, "replay", "--rebuild", "--execute")
    more = [made(session=f"n-{n}", user="u-1") for n in range(20)]
    home = ends(admin, rig.topic)
    rig.publish(more)
    sink = rig.start()
    rig.wait_until_done(320)
    sink.terminate()
    assert sink.wait(30) == 0
    grown = {number: end for number, end in ends(admin, rig.topic).items() if end > home[number]}
    for one in admin.delete_records([TopicPartition(rig.topic, n, e) for n, e in grown.items()]).values():
        one.result(PATIENCE_S)
    error = run(rig, "replay", "--rebuild", "--execute").exception
    assert isinstance(error, RelayError)
    assert "retention has removed what comes next" in str(error)


@pytest.mark.parametrize(
    "arguments", [("--from", 3), ("--user", "u-1"), ("--topic", "x"), ("--source", "asleep")]
)
def test_a_part_of_the_log_makes_no_table(rig: SinkRig, arguments: tuple[object, ...]) -> None:
    error = run(rig, "replay", "--rebuild", *arguments, "--execute").exception
    assert isinstance(error, SettingsError)
