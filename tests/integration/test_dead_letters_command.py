"""Dead letters listed, shown, sent again, closed and stepped over, as an operator does it."""

import re
import struct

import psycopg
import pytest

from config.errors import ExitCode, RelayError, SettingsError
from consumers.fates import KafkaUnavailable
from consumers.selection import LetterTable, Selection
from schemas.codec import encode
from tests.dead_letter_commands import listed, run, told, wait_for
from tests.events import made
from tests.eventually import PATIENCE_S, eventually
from tests.integration.test_dead_letters_projected import put
from tests.sink_rig import SinkRig

pytestmark = pytest.mark.integration

STATES = "SELECT state, count(*)::int FROM dead_letters GROUP BY 1 ORDER BY 1"
NEWER = b"\x00" + struct.pack(">I", 1_900_000_999) + encode(made(session="newer"))[5:]


def insert(rig: SinkRig, count: int, **columns: str) -> None:
    """Rows as a sink would have added them."""
    given = {
        "stage": "'sink'",
        "reason": "'invalid'",
        "source": "'asleep'",
        "origin_topic": f"'{rig.topic}'",
        "redrives": "0",
        "failed_at": "now()",
        "value": r"'\x00'::bytea",
        **columns,
    }
    rig.query(
        f"INSERT INTO dead_letters ({', '.join(given)}, detail, origin_topic_id, origin_partition,"
        " origin_offset, value_sha256, header_names, header_values)"
        f" SELECT {', '.join(given.values())}, 'why', gen_random_uuid(), 0, n, '', '{{}}', '{{}}'"
        f" FROM generate_series(1, {count}) n"
    )


def test_pages_and_filters(rig: SinkRig) -> None:
    insert(rig, 5)
    insert(rig, 2, reason="'rejected'", source="'garmin'")
    insert(rig, 1, failed_at="now() - interval '3 hours'", state="'discarded'")
    first = told(rig, "list", "--limit", 4)
    assert (len(first["letters"]), first["more"]) == (4, 3)
    second = told(rig, "list", "--limit", 4, "--after", first["letters"][-1]["id"])
    assert (len(second["letters"]), second["more"]) == (3, 0)
    assert len(listed(rig, "--reason", "rejected")) == 2
    assert len(listed(rig, "--source", "garmin", "--source", "asleep")) == 7
    assert len(listed(rig, "--state", "discarded")) == 1
    assert listed(rig, "--state", "discarded", "--since", "2h") == []
    assert len(listed(rig, "--state", "discarded", "--since", "2001-01-01T00:00:00Z")) == 1
    plain = run(rig, "list", "--limit", 4).stdout
    assert "4 of 7 open; the next page: --after" in plain


@pytest.mark.parametrize("command", ["discard", "redrive"])
def test_an_id_that_is_not_among_those_meant_is_named(rig: SinkRig, command: str) -> None:
    insert(rig, 1, state="'redriven'")
    insert(rig, 2, reason="'rejected'")
    first, *_ = (letter["id"] for letter in listed(rig, "--state", "redriven", "--state", "open"))
    done = run(rig, command, first, first + 1, first + 9, "--reason", "invalid")
    assert done.exit_code == ExitCode.FAILED
    for number, why in {
        first: "it is redriven, not open",
        first + 1: "it is of another reason, source or time",
        first + 9: "there is no such dead letter",
    }.items():
        assert re.search(rf"{number}  not (closed|sent): {why}\n", done.stdout)
    assert rig.query(STATES) == [("open", 2), ("redriven", 1)]


def test_what_is_parked_meanwhile_is_not_taken_too(rig: SinkRig) -> None:
    """Or else a redrive would send what it has sent in vain again, until it may not be sent any more."""
    insert(rig, 150)
    taken = []
    with psycopg.connect(rig.database_url, autocommit=True) as connection:
        for letters in LetterTable(connection).taken(Selection()):
            taken += [letter["id"] for letter in letters]
            insert(rig, 70)
    assert len(taken) == len(set(taken)) == 150


@pytest.mark.parametrize(
    "arguments",
    [
        ("list", "--since", "soon"),
        ("list", "--since", "999999d"),
        ("list", "--state", "gone"),
        ("redrive", "--execute"),
        ("discard",),
        ("park", "elsewhere", 0, 0),
    ],
)
def test_wrong_usage_is_told_and_changes_nothing(rig: SinkRig, arguments: tuple[object, ...]) -> None:
    insert(rig, 1)
    error = run(rig, *arguments).exception
    assert isinstance(error, SettingsError)
    assert error.exit_code is ExitCode.USAGE
    assert rig.query(STATES) == [("open", 1)]


def test_one_letter_is_shown_in_hex_and_decoded(rig: SinkRig) -> None:
    value = encode(made(session="night"))
    insert(rig, 1, value=rf"'\x{value.hex()}'::bytea")
    insert(rig, 1, value=r"'\x7b2261223a317d'::bytea", stage="'relay'", reason=r"E'\x1b[31mred'")
    event, item = (letter["id"] for letter in listed(rig))
    shown = run(rig, "show", event).stdout
    assert '"session_id": "night"' in shown
    assert "00000000  00 71 3f b3 02" in shown
    assert told(rig, "show", event)["value"] == value.hex()
    relays = run(rig, "show", item).stdout
    assert '"a": 1' in relays
    assert "\x1b" not in relays + run(rig, "list").stdout
    missing = run(rig, "show", 10**9).exception
    assert isinstance(missing, RelayError)
    assert missing.exit_code is ExitCode.FAILED


def test_redriven_letters_are_the_same_records_and_a_new_failure_is_a_new_letter(rig: SinkRig) -> None:
    """Method: a constraint rejects; sent again too early they fail again; without it they are written."""
    rig.query("ALTER TABLE sessions ADD CONSTRAINT no_beast CHECK (sequence <> 666)")
    bad = [made(session=f"s-{n}", sequence=666) for n in range(3)]
    for event in bad:
        headers = [("ce_source", b"/sources/asleep"), ("traceparent", b"00-1-1-01")]
        rig.producer.produce(rig.topic, encode(event), event.user_id, headers=headers)  # type: ignore[arg-type]
    rig.publish([made(session="good")])
    rig.start()
    first = wait_for(rig, 3, "--reason", "rejected", "--source", "asleep")
    assert "Not done: 3 to send again with --execute." in run(rig, "redrive", "--all").stdout
    assert rig.query(STATES) == [("open", 3)]
    assert told(rig, "redrive", first[0]["id"], "--execute")["redriven"] == 1
    eventually(lambda: rig.query(STATES) == [("open", 3), ("redriven", 1)])
    again = listed(rig)[-1]
    assert again["redrives"] == 1
    assert again["id"] not in {letter["id"] for letter in first}
    assert told(rig, "show", again["id"])["header_names"][:2] == ["ce_source", "traceparent"]
    rig.query("ALTER TABLE sessions DROP CONSTRAINT no_beast")
    assert told(rig, "redrive", "--since", "1h", "--execute") == {
        "redriven": 3,
        "refused": [],
        "executed": True,
    }
    eventually(lambda: rig.sums()["written"] == 4)
    rows = rig.query("SELECT session_id, event_id::text FROM sessions")
    assert {(event.session_id, event.event_id) for event in bad} <= set(rows)
    rig.assert_accounted()
    run(rig, "redrive", again["id"], "--state", "redriven", "--execute")
    eventually(lambda: rig.sums()["duplicate"] == 1)


def test_what_cannot_be_sent_again_is_named_with_the_reason(rig: SinkRig) -> None:
    insert(rig, 1, stage="'relay'", source="'garmin'")
    insert(rig, 1, origin_topic="'session.erasures'")
    insert(rig, 1, redrives="5")
    insert(rig, 1, redrives="4")
    result = run(rig, "redrive", "--all", "--execute")
    assert result.exit_code == ExitCode.FAILED
    assert "deliver it again to /webhooks/garmin" in result.stdout
    assert "does not come from" in result.stdout
    assert "sent again 5 times already" in result.stdout
    assert "Done: 1 sent again." in result.stdout
    assert rig.query(STATES) == [("open", 3), ("redriven", 1)]


def test_without_kafka_everything_stays_open(rig: SinkRig) -> None:
    insert(rig, 2)
    rig.kafka = "127.0.0.1:1"
    error = run(rig, "redrive", "--all", "--execute").exception
    assert isinstance(error, KafkaUnavailable)
    assert error.exit_code is ExitCode.UNREACHABLE
    assert rig.query(STATES) == [("open", 2)]


def test_discarded_letters_are_closed(rig: SinkRig) -> None:
    insert(rig, 3)
    number = listed(rig)[0]["id"]
    assert "Not done: 1 to discard" in run(rig, "discard", number).stdout
    assert rig.query(STATES) == [("open", 3)]
    closed = {"discarded": 1, "refused": [], "executed": True}
    assert told(rig, "discard", number, "--execute") == closed
    assert rig.query(STATES) == [("discarded", 1), ("open", 2)]


def busy_partition(rig: SinkRig) -> int:
    query = f"SELECT partition FROM consumer_offsets WHERE topic = '{rig.topic}' ORDER BY next_offset DESC"
    return int(rig.query(query)[0][0])


def test_a_record_that_brings_the_sink_down_is_stepped_over_and_can_be_sent_again(rig: SinkRig) -> None:
    """Method: a trigger that is broken itself, which is a bug and never poison."""
    rig.query(
        "CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE 'broken' USING ERRCODE = 'ZZ999'; END $$"
    )
    rig.query(
        "CREATE TRIGGER broken BEFORE INSERT ON sessions FOR EACH ROW"
        " WHEN (NEW.session_id = 'crash') EXECUTE FUNCTION broken()"
    )
    rig.publish([made(session="before")])
    first = rig.start()
    rig.wait_until_done(1)
    rig.publish([made(session=name) for name in ("crash", "after")])
    assert first.wait(PATIENCE_S) == ExitCode.FAILED
    second = rig.start(SINK__BATCH_ROWS="1")
    assert second.wait(PATIENCE_S) == ExitCode.FAILED
    (told_there,) = rig.told(second, "batch_stops_the_sink")
    assert told_there["first_and_last_offsets"] == {str(busy_partition(rig)): [1, 1]}
    place = (rig.topic, busy_partition(rig), 1)
    assert "Not done" in run(rig, "park", *place).stdout
    assert rig.query(STATES) == []
    assert "Done: stored as" in run(rig, "park", *place, "--execute").stdout
    run(rig, "park", *place, "--execute")
    assert rig.query(STATES) == [("skip", 1)]
    rig.start()
    rig.wait_until_done(3)
    assert {name: count for name, count in rig.sums().items() if count} == {"written": 2, "parked": 1}
    rig.assert_accounted()
    rig.query("DROP TRIGGER broken ON sessions")
    assert told(rig, "redrive", "--all", "--state", "skip", "--execute")["redriven"] == 1
    eventually(lambda: rig.sums()["written"] == 3)


def test_a_record_of_a_newer_schema_can_be_stepped_over_too(rig: SinkRig) -> None:
    rig.publish([made(session="before")])
    sink = rig.start()
    rig.wait_until_done(1)
    rig.publish_bytes([(b"u-1", NEWER)])
    assert sink.wait(PATIENCE_S) == ExitCode.STOPPED_FOR_SAFETY
    run(rig, "park", rig.topic, busy_partition(rig), 1, "--execute")
    assert told(rig, "show", listed(rig, "--state", "skip")[0]["id"])["value"] == NEWER.hex()
    rig.start()
    rig.wait_until_done(2)
    assert rig.sums()["parked"] == 1


def test_a_record_that_is_not_there_cannot_be_parked(rig: SinkRig) -> None:
    rig.publish([made()])
    error = run(rig, "park", rig.topic, 0, 99, "--execute").exception
    assert isinstance(error, RelayError)
    error = run(rig, "park", rig.topic, 999, 0, "--execute").exception
    assert isinstance(error, SettingsError)
    assert "not 999" in str(error)
    assert rig.query(STATES) == []


def test_a_dead_letter_can_be_stepped_over_like_any_record(rig: SinkRig) -> None:
    put(rig, b"one")
    put(rig, b"two")
    run(rig, "park", f"{rig.topic}.dlq", 0, 0, "--execute")
    rig.start()
    eventually(lambda: rig.query(STATES) == [("open", 1), ("skip", 1)])
