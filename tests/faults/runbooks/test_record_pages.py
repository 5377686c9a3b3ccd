"""Pages on records that a sink does not get past, or parks: poison, a newer version's, one that is a bug."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from config.embedded.services import EmbeddedServices
from config.errors import ExitCode
from schemas.versions import VERSIONS
from tests.deliveries import as_body
from tests.events import made
from tests.eventually import eventually
from tests.faults.relay.test_missing_dead_letters_topic import GOOD, WATCHES
from tests.faults.runbooks.pages import Runbook, is_gone, lag
from tests.first_version import first_version
from tests.integration.test_dead_letters_command import NEWER
from tests.integration.test_sink_metrics import base_url, samples
from tests.operator_shell import Shell
from tests.own_places import own_database
from tests.relay_process import RelayProcess
from tests.sink_rig import SinkRig

pytestmark = [pytest.mark.integration, pytest.mark.faults, pytest.mark.timeout(150)]

BROKEN = """
CREATE FUNCTION broken() RETURNS trigger LANGUAGE plpgsql AS
$$ BEGIN RAISE 'broken' USING ERRCODE = 'ZZ999'; END $$;
CREATE TRIGGER broken BEFORE INSERT ON sessions FOR EACH ROW
WHEN (NEW.session_id = 'crash') EXECUTE FUNCTION broken()
"""


def told_by(output: str, event: str) -> dict[str, Any]:
    """The log line of a command that was run in a shell."""
    lines = (json.loads(line) for line in output.splitlines() if line.startswith("{"))
    return next(line for line in lines if line["event"] == event)


def test_a_storm_of_poison(rig: SinkRig, tmp_path: Path) -> None:
    """storm-of-poison.md: exit code 3, its last line has the reasons, and it goes on when told to."""
    page, window = Runbook("storm-of-poison.md"), {"SINK__STORM_WINDOW": "20"}
    sink = rig.start(**window)
    url = base_url(rig, sink)
    for n in range(10):  # a third: less than a storm
        rig.publish([made(session=f"s-{n}"), made(session=f"t-{n}")])
        rig.publish_bytes([(b"u-1", b"junk")])
    eventually(lambda: samples(url)[page.metric("sink_storm_ratio"),] > 0.25)
    rig.wait_until_done(30)
    rig.publish_bytes((b"u-1", b"junk") for _ in range(60))
    assert sink.wait(30) == page.exit(ExitCode.STOPPED_FOR_SAFETY)
    assert page.metric("app_uptime_seconds")
    assert is_gone(url)
    (line,) = rig.told(sink, page.log("storm_of_poison"))
    assert line["poison"] > 10
    assert set(line["reasons"]) == {"not_framed"}  # the cause
    assert re.fullmatch(r"partition \d offset \d+", line["first"])
    shell = Shell(rig.environment(**window), tmp_path)
    shown = page.command("session-relay dead-letters list")
    parked = rig.sums()["parked"]
    words = page.command("session-relay sink").split()
    url = base_url(rig, again := rig.start(*words[2:], **window))
    rig.wait_until_done(90)
    eventually(lambda: "of 70 open" in shell.run(shown))
    assert parked < 70  # the batch that stopped it was not parked
    eventually(lambda: samples(url)["dead_letters_open",] == 70)
    eventually(lambda: lag(url) == 0)
    assert samples(url)["sink_storm_ratio",] <= 0.5
    assert again.poll() is None
    page.assert_followed()


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Settings that run a process on the first version's tree."""
    return first_version(tmp_path_factory.mktemp("first-version"))


@pytest.fixture
def old_rig(services: EmbeddedServices, topic: str, tmp_path: Path, old: dict[str, str]) -> Iterator[SinkRig]:
    """Sinks on a database as the first version left it."""
    with own_database(services.addresses.database_url, "template1") as url:
        made_here = SinkRig(services, topic, url, tmp_path)
        Shell(made_here.environment(), tmp_path).does("session-relay migrate --execute", settings=old)
        yield made_here
        made_here.close()


def test_relays_were_upgraded_before_sinks(old_rig: SinkRig, old: dict[str, str], tmp_path: Path) -> None:
    """unknown-schema-id.md: migrate, then a new sink goes on; a record of nobody's is stepped over."""
    page, rig = Runbook("unknown-schema-id.md"), old_rig
    sink = rig.start(**old)
    url = base_url(rig, sink)
    rig.publish(made(session=f"s-{n}") for n in range(4))  # by the newest version
    assert sink.wait(30) == page.exit(ExitCode.STOPPED_FOR_SAFETY)
    assert page.metric("app_uptime_seconds")
    assert is_gone(url)
    assert f"schema id {VERSIONS[2].schema_id} is newer than this version" in rig.log_of(sink)  # the cause
    (line,) = rig.told(sink, page.log("record_stops_the_sink"))
    assert line["offset"] == 0
    shell = Shell(rig.environment(), tmp_path)
    assert "pending 0004_utc_offset" in shell.run(page.command("session-relay migrate"))
    assert "Done:" in shell.run(page.command("session-relay migrate --execute"))
    words = page.command("session-relay sink").split()
    sink = rig.start(*words[2:])
    rig.wait_until_done(4)
    assert rig.sums()["written"] == 4
    rig.publish_bytes([(b"u-1", NEWER)])
    assert sink.wait(30) == ExitCode.STOPPED_FOR_SAFETY
    (line,) = rig.told(sink, "record_stops_the_sink")
    place = {"session.events 3 81234": f"{rig.topic} {line['partition']} {line['offset']}"}
    park = "session-relay dead-letters park"
    assert "Not done" in shell.run(page.command(park, place))
    assert "Done: stored as" in shell.run(page.command(park, place))
    url = base_url(rig, sink := rig.start(*words[2:]))
    rig.publish([made(session="after")])
    rig.wait_until_done(6)
    eventually(lambda: lag(url) == 0)
    eventually(lambda: samples(url)["dead_letters_open",] == 0)
    assert sink.poll() is None
    rig.assert_accounted()
    page.assert_followed()


def test_a_record_brings_the_sink_down(rig: SinkRig, tmp_path: Path) -> None:
    """record-brings-the-sink-down.md: a batch of one names it, it is stepped over, later sent again."""
    page = Runbook("record-brings-the-sink-down.md")
    rig.query(BROKEN)
    rig.publish(made(session=name) for name in ("before", "crash", "after"))
    shell = Shell(rig.environment(), tmp_path)
    sink = rig.start()
    url = base_url(rig, sink)
    assert sink.wait(30) == page.exit(ExitCode.FAILED)
    assert page.metric("app_uptime_seconds")
    assert page.metric("sink_lag_records")
    assert is_gone(url)
    (crash,) = rig.told(sink, page.log("process_crashed"))
    assert "psycopg.DatabaseError: broken" in crash["exception"]  # the cause
    alone = shell.run(page.command("SINK__BATCH_ROWS=1 session-relay sink"), ExitCode.FAILED)
    stopped = told_by(alone, page.log("batch_stops_the_sink"))
    ((partition, (first, last)),) = stopped["first_and_last_offsets"].items()
    assert first == last == 1
    place = {"session.events 3 81234": f"{rig.topic} {partition} {first}"}
    park = "session-relay dead-letters park"
    assert "Not done" in shell.run(page.command(park, place))
    assert "Done: stored as" in shell.run(page.command(park, place))
    sink = rig.start()
    url = base_url(rig, sink)
    rig.wait_until_done(3)
    (skipped,) = rig.told(sink, "records_to_skip")
    assert (skipped["partition"], skipped["offsets"]) == (int(partition), [first])
    eventually(lambda: lag(url) == 0)
    listed = shell.run(page.command("session-relay dead-letters list"))
    rig.query("DROP TRIGGER broken ON sessions")
    redrive = page.command("session-relay dead-letters redrive", {" 17 ": f" {listed.split()[0]} "})
    assert "Done: 1 sent again." in shell.run(redrive)
    rig.wait_until_done(4)
    assert rig.query("SELECT count(*) FROM sessions WHERE session_id = 'crash'") == [(1,)]
    assert sink.poll() is None
    page.assert_followed(elsewhere={"record_stops_the_sink": "tests/faults/sink/test_unknown_schema_id.py"})


def test_some_records_can_never_be_stored(rig: SinkRig, tmp_path: Path) -> None:
    """dead-letters-growing.md: the list has each reason; ours are sent again, the others discarded."""
    page = Runbook("dead-letters-growing.md")
    rig.query("ALTER TABLE sessions ADD CONSTRAINT no_beast CHECK (sequence <> 666)")
    sink = rig.start(DB__LOCK_TIMEOUT_S="0.3")
    url = base_url(rig, sink)
    shell = Shell(rig.environment(), tmp_path)
    shown = page.command("session-relay dead-letters list")
    with psycopg.connect(rig.database_url) as holder:
        holder.execute("LOCK TABLE dead_letters IN EXCLUSIVE MODE")
        rig.publish([made(session=f"s-{n}", sequence=666 if n < 2 else 1) for n in range(20)])
        rig.publish_bytes([(b"u-1", b"junk")])
        parked = (page.metric("sink_records_total"), "parked")
        eventually(lambda: samples(url).get(parked) == 3)
        assert {line["reason"] for line in rig.told(sink, page.log("record_parked"))} == {
            "rejected",
            "not_framed",
        }
        eventually(lambda: rig.told(sink, "projection_failed"))
        assert "0 of 0 open" in shell.run(shown)  # although the metric of the outcome has grown
    bad_item(rig, page, tmp_path)
    eventually(lambda: samples(url)[page.metric("dead_letters_open"),] == 4)
    listed = shell.run(shown)
    assert sorted(re.findall(r" open +(\w+)", listed)) == [
        "not_an_event",
        "not_framed",
        "rejected",
        "rejected",
    ]
    number = next(line.split()[0] for line in listed.splitlines() if " rejected " in line)
    assert "constraint no_beast" in shell.run(page.command("session-relay dead-letters show", {"17": number}))
    rig.query("ALTER TABLE sessions DROP CONSTRAINT no_beast")
    close(shell, page.command("session-relay dead-letters redrive"), 2)
    close(shell, page.command("session-relay dead-letters discard"), 1)
    eventually(lambda: rig.sums()["written"] == 20 + 1)
    eventually(lambda: samples(url)["dead_letters_open",] == 1)
    assert "not_an_event" in shell.run(shown)  # what is left is known
    assert samples(url)[parked] == 3
    page.assert_followed()


def bad_item(rig: SinkRig, page: Runbook, directory: Path) -> None:
    """A vendor delivers an array with an item that is no event."""
    sources = {"SOURCES": json.dumps(WATCHES), "KAFKA__DEAD_LETTERS_TOPIC": f"{rig.topic}.dlq"}
    with RelayProcess.running(directory, rig.kafka, rig.topic, **sources) as relay:
        assert relay.post("/webhooks/watches", as_body({"sleeps": [GOOD, 7]})).status_code == 200
        relay.told(page.log("items_parked"), items=1)


def close(shell: Shell, command: str, letters: int) -> None:
    """First as the page has it, which only says what it would do."""
    assert f"Not done: {letters} to" in shell.run(command)
    assert f"Done: {letters} " in shell.run(f"{command} --execute")
