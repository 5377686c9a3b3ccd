"""The log in files: all of it, only once, and back again as it was."""

import random
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import fastavro
import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import TopicPartition

from config.errors import ExitCode, RelayError, StoppedForSafety
from tests.archives import DAY_MS, EVENTS, archived, files, manifest, publish_over_days
from tests.events import NOW_US, made, spread
from tests.eventually import PATIENCE_S
from tests.replay_commands import ends, new_topic, records, run, told, untouched
from tests.sink_rig import SinkRig

pytestmark = pytest.mark.integration


def of_files(archive: Path) -> list[Any]:
    """Every record, as a reader that is not ours gets it."""
    found: list[Any] = []
    for path in files(archive):
        with path.open("rb") as file:
            found += fastavro.reader(file)
    return found


def test_all_of_it_is_kept_and_comes_back_as_it_was(rig: SinkRig, admin: AdminClient, tmp_path: Path) -> None:
    archive, target = tmp_path / "archive", new_topic(admin)
    publish_over_days(rig, EVENTS, days=3)
    rig.publish_bytes([(None, b"poison"), (b"u-1", None)])
    before = untouched(rig, admin, [rig.topic, target])
    plan = told(rig, "archive", "--to", archive)
    assert (plan["records"], plan["executed"]) == (len(EVENTS) + 2, False)
    assert untouched(rig, admin, [rig.topic, target]) == before
    assert not archive.exists()
    done = archived(rig, archive)
    assert (done["archived"], done["unreadable"]) == (len(EVENTS) + 2, 2)
    assert untouched(rig, admin, [rig.topic, target]) == before
    assert told(rig, "archive", "verify", archive) == {
        "files": done["files"],
        "records": len(EVENTS) + 2,
        "problems": [],
    }
    events = [record["event"] for record in of_files(archive) if record["event"] is not None]
    assert {event["event_id"] for event in events} == {event.event_id for event in EVENTS}
    assert {event["type"] for event in events} == {"SESSION_STARTED", "SESSION_COMPLETE"}
    days = {entry["day"] for entry in manifest(archive)["files"]}
    first = datetime.fromtimestamp(NOW_US / 1e6, UTC).date().isoformat()
    assert first in days
    assert len(days) >= 4  # the poison's is today
    copied = told(rig, "replay", "--from-archive", archive, "--topic", target, "--execute")
    assert copied["sent"] == len(EVENTS) + 2
    origin, copy = records(rig, rig.topic), records(rig, target)
    assert sorted(map(repr, copy)) == sorted(map(repr, origin))


def test_a_second_run_archives_only_what_is_new(rig: SinkRig, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    rig.publish(EVENTS[:50])
    archived(rig, archive)
    former = {path: path.read_bytes() for path in files(archive)}
    assert archived(rig, archive)["archived"] == 0
    rig.publish(EVENTS[50:])
    assert archived(rig, archive)["archived"] == len(EVENTS) - 50
    assert {path: path.read_bytes() for path in files(archive) if path in former} == former
    ids = [record["event"]["event_id"] for record in of_files(archive)]
    assert sorted(ids) == sorted(event.event_id for event in EVENTS)
    listed = told(rig, "archive", "list", archive)
    assert sum(one["records"] for one in listed["partitions"]) == len(EVENTS)
    assert told(rig, "archive", "verify", archive)["problems"] == []


def removed(rig: SinkRig, admin: AdminClient, to: dict[int, int]) -> None:
    """As retention does."""
    for one in admin.delete_records([TopicPartition(rig.topic, n, at) for n, at in to.items()]).values():
        one.result(PATIENCE_S)


REBUILD = ("replay", "--rebuild", "--execute", "--from-archive")


def test_without_its_topic_the_table_is_rebuilt(rig: SinkRig, admin: AdminClient, tmp_path: Path) -> None:
    """Method: topic and rows are gone; what is left is the archive."""
    archive = tmp_path / "archive"
    log = spread(random.Random(3), 1_500, sessions=80)
    publish_over_days(rig, log, days=5)
    rig.let_write(len(log))
    archived(rig, archive)
    for deleted in admin.delete_topics([rig.topic]).values():
        deleted.result(PATIENCE_S)
    rig.query("TRUNCATE sessions")
    plan = told(rig, "replay", "--rebuild", "--from-archive", archive)
    assert (plan["records"], plan["topic_is_there"], plan["beyond_the_log"]) == (len(log), False, 0)
    offsets = rig.query("SELECT * FROM consumer_offsets ORDER BY partition")
    done = told(rig, *REBUILD, archive, "--swap")
    assert done["swapped"]
    rig.assert_as_expected(log)
    assert rig.query("SELECT * FROM consumer_offsets ORDER BY partition") == offsets


def test_archive_and_topic_together_are_the_log(rig: SinkRig, admin: AdminClient, tmp_path: Path) -> None:
    """Method: retention takes half of what is archived; sinks write before and behind the archive's end."""
    archive = tmp_path / "archive"
    log = spread(random.Random(4), 1_200, sessions=60)
    publish_over_days(rig, log[:800], days=4)
    archived(rig, archive)
    held = ends(admin, rig.topic)
    rig.publish(log[800:])
    rig.let_write(len(log))
    removed(rig, admin, {number: end // 2 for number, end in held.items()})
    rig.query("DELETE FROM sessions WHERE ctid IN (SELECT ctid FROM sessions LIMIT 20)")
    done = told(rig, *REBUILD, archive, "--processes", 2)
    assert (done["beyond_the_log"], done["topic_is_there"]) == (0, True)
    assert (done["difference"]["only_in_log"], done["difference"]["columns"]) == (20, {})
    assert told(rig, *REBUILD, archive, "--swap")["swapped"]
    rig.assert_as_expected(log)
    target = new_topic(admin)
    copied = told(rig, "replay", "--from-archive", archive, "--topic", target, "--execute")
    assert copied["sent"] == len(log)


def test_what_retention_takes_behind_an_archive_is_told(
    rig: SinkRig, admin: AdminClient, tmp_path: Path
) -> None:
    """Method: a rebuild goes on after records were removed that it could have read when it began."""
    archive = tmp_path / "archive"
    rig.publish(EVENTS)
    archived(rig, archive)
    told(rig, *REBUILD, archive)
    rig.publish(made(session=f"later-{n}") for n in range(9))
    removed(rig, admin, ends(admin, rig.topic))
    error = run(rig, *REBUILD, archive, "--swap").exception
    assert isinstance(error, RelayError)
    assert "what comes next can't be read any more" in str(error)


def test_rows_from_between_archive_and_topic_stay(rig: SinkRig, admin: AdminClient, tmp_path: Path) -> None:
    """Method: retention was faster than the archive; the lost records made rows that nothing else tells."""
    archive = tmp_path / "archive"
    rig.publish(made(session=f"a-{n}") for n in range(20))
    archived(rig, archive)
    rig.publish(made(session=f"b-{n}") for n in range(10))
    rig.publish(made(session=f"c-{n}") for n in range(5))
    rig.let_write(35)
    home = max(ends(admin, rig.topic).items(), key=lambda at: at[1])[0]
    removed(rig, admin, {home: 30})
    done = told(rig, *REBUILD, archive)
    assert (done["beyond_the_log"], done["difference"]["only_in_table"], done["difference"]["differing"]) == (
        10,
        0,
        0,
    )
    late = run(rig, "archive", "--to", archive, "--execute")
    assert late.exit_code == ExitCode.FAILED
    assert f"partition {home}: retention has removed offsets 20 to 30" in late.stderr
    verified = run(rig, "archive", "verify", archive)
    assert isinstance(verified.exception, RelayError)
    assert f"partition {home} lacks offsets 20 to 30" in verified.stdout


def test_sinks_that_wrote_what_no_archive_has_are_not_turned_back(rig: SinkRig, tmp_path: Path) -> None:
    """Method: the topic was recreated, and a sink writes between rebuild and swap."""
    archive = tmp_path / "archive"
    rig.publish(EVENTS)
    archived(rig, archive)
    path, other = archive / "manifest.json", "01234567-89ab-4cde-8f01-23456789abcd"
    path.write_text(path.read_text("utf-8").replace(manifest(archive)["topic_id"], other))
    plan = told(rig, *REBUILD, archive)
    assert (plan["topic_is_there"], plan["difference"]["only_in_log"]) == (False, 60)
    rig.publish([made(session="later")])
    rig.let_write(len(EVENTS) + 1)
    error = run(rig, *REBUILD, archive, "--swap").exception
    assert isinstance(error, StoppedForSafety)
    assert "sinks have written since" in str(error)
    assert rig.query("SELECT count(*) FROM sessions") == [(61,)]


def test_times_offsets_and_users_choose_from_an_archive_too(
    rig: SinkRig, admin: AdminClient, tmp_path: Path
) -> None:
    archive = tmp_path / "archive"
    publish_over_days(rig, EVENTS, days=6)
    archived(rig, archive)
    held = ends(admin, rig.topic)
    removed(rig, admin, held)
    first, last = (
        datetime.fromtimestamp((NOW_US // 1000 + n * DAY_MS) / 1000, UTC).isoformat() for n in (2, 4)
    )
    wanted = ("replay", "--from-archive", archive, "--execute", "--topic")
    assert told(rig, *wanted, new_topic(admin), "--from", first, "--to", last)["sent"] == len(EVENTS) // 3
    asked = told(rig, *wanted, new_topic(admin), "--user", "u-3")
    assert asked["sent"] == sum(event.user_id == "u-3" for event in EVENTS)
    assert len(asked["partitions"]) == 1
    part = told(rig, *wanted, new_topic(admin), "--from", 3, "--to", 9)
    assert part["sent"] == sum(max(0, min(9, end) - 3) for end in held.values())
