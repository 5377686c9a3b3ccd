"""A part of the log to another topic: which records, as they were, and what it never touches."""

import time
from collections import Counter
from datetime import UTC, datetime
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewPartitions, TopicPartition

from config.errors import ExitCode, RelayError, SettingsError, StoppedForSafety, Unavailable
from consumers.replay.placing import partition_of
from schemas.codec import encode
from schemas.event import EventType
from tests.events import made
from tests.eventually import PATIENCE_S, eventually
from tests.replay_commands import ends, new_topic, records, run, told, untouched
from tests.sink_rig import SinkRig

pytestmark = pytest.mark.integration

AN_HOUR_AGO_MS = int(time.time() - 3_600) * 1000
EVENTS = [
    made(session=f"s-{n}", user=f"u-{n % 7}", sequence=n, kind=kind)
    for n in range(40)
    for kind in (EventType.SESSION_STARTED, EventType.SESSION_COMPLETE)
]


@pytest.fixture
def target(admin: AdminClient) -> str:
    return new_topic(admin)


def test_all_of_it_arrives_as_it_was(rig: SinkRig, admin: AdminClient, target: str) -> None:
    for n, event in enumerate(EVENTS):
        headers: Any = [("ce_id", event.event_id.encode()), ("traceparent", b"00-1-1-01")]
        at_ms = AN_HOUR_AGO_MS + n
        rig.producer.produce(rig.topic, encode(event), event.user_id, headers=headers, timestamp=at_ms)
    rig.publish_bytes([(None, b"poison"), (b"u-1", None)])
    rig.start()
    rig.wait_until_done(len(EVENTS) + 2)
    eventually(lambda: rig.query("SELECT count(*) FROM dead_letters") == [(2,)])
    before = untouched(rig, admin, [rig.topic, f"{rig.topic}.dlq", target])
    plan = told(rig, "replay", "--topic", target)
    assert (plan["records"], plan["executed"]) == (len(EVENTS) + 2, False)
    assert untouched(rig, admin, [rig.topic, f"{rig.topic}.dlq", target]) == before
    assert plan["parked"] == {"open": 2}
    done = told(rig, "replay", "--topic", target, "--execute")
    assert (done["sent"], done["left_out"]) == (len(EVENTS) + 2, 0)
    origin, copy = records(rig, rig.topic), records(rig, target)
    assert sorted(map(repr, copy)) == sorted(map(repr, origin))
    placed = sum(partition_of(record.key, 2) == 0 for record in copy if record.key)
    assert ends(admin, target)[0] - placed in {0, 1}  # the record without a key lands anywhere
    after = untouched(rig, admin, [rig.topic, f"{rig.topic}.dlq"])
    assert (after["groups"], after["offsets"]) == (before["groups"], before["offsets"])
    listed = told(rig, "replays", "list")["replays"]
    assert [(one["state"], one["figures"]["sent"]) for one in listed] == [("done", len(EVENTS) + 2)]


def test_one_users_records_come_from_one_partition(rig: SinkRig, target: str) -> None:
    rig.publish(EVENTS)
    plan = told(rig, "replay", "--topic", target, "--user", "u-3")
    assert [one["partition"] for one in plan["partitions"]] == [partition_of(b"u-3", 3)]
    done = told(rig, "replay", "--topic", target, "--user", "u-3", "--execute")
    wanted = [encode(event) for event in EVENTS if event.user_id == "u-3"]
    assert [record.value for record in records(rig, target)] == wanted
    assert done["sent"] == len(wanted)
    shown = run(rig, "replays", "show", done["replay"]).stdout
    assert "u-3" not in shown


def test_after_partitions_were_added_all_are_read(rig: SinkRig, admin: AdminClient, target: str) -> None:
    rig.publish(EVENTS)
    for grown in admin.create_partitions([NewPartitions(rig.topic, 8)]).values():
        grown.result(PATIENCE_S)
    eventually(lambda: len(admin.list_topics(rig.topic, 20).topics[rig.topic].partitions) == 8)
    eventually(lambda: run(rig, "replay", "--topic", target).exit_code == 0, every_s=0.5)
    users = {event.user_id for event in EVENTS}
    moved = next(u for u in users if partition_of(u.encode(), 3) != partition_of(u.encode(), 8))
    done = told(rig, "replay", "--topic", target, "--user", moved, "--execute")
    assert len(done["partitions"]) == 8
    assert done["sent"] == sum(event.user_id == moved for event in EVENTS)


def test_a_source_and_a_type_are_read_from_the_events(rig: SinkRig, target: str) -> None:
    rig.publish(EVENTS)
    rig.publish_bytes([(b"u-1", b"poison")])
    done = told(
        rig, "replay", "--topic", target, "--source", "asleep", "--type", "SESSION_STARTED", "--execute"
    )
    assert (done["sent"], done["left_out"], done["unreadable"]) == (40, 40, 1)
    nothing = run(rig, "replay", "--topic", target, "--source", "elsewhere", "--execute")
    assert nothing.exit_code == ExitCode.FAILED
    assert "No record of that range matches" in nothing.stderr


def test_a_range_of_time_and_one_of_offsets(rig: SinkRig, admin: AdminClient, target: str) -> None:
    noon_ms = AN_HOUR_AGO_MS
    for n in range(30):
        rig.producer.produce(rig.topic, b"%d" % n, b"u-1", timestamp=noon_ms + n * 1000)
    rig.producer.flush(PATIENCE_S)
    home = partition_of(b"u-1", 3)
    bounds = [datetime.fromtimestamp(noon_ms / 1000 + s, UTC).isoformat() for s in (10, 20)]
    told(rig, "replay", "--topic", target, "--from", bounds[0], "--to", bounds[1], "--execute")
    assert [record.value for record in records(rig, target)] == [b"%d" % n for n in range(10, 20)]
    plan = told(rig, "replay", "--topic", target, "--from", 25, "--to", 28)
    assert plan["records"] == 3
    deleted = admin.delete_records([TopicPartition(rig.topic, home, 27)])
    for one in deleted.values():
        one.result(PATIENCE_S)
    plan = told(rig, "replay", "--topic", target, "--from", 25, "--to", 28)
    assert plan["records"] == 1
    assert {one["log_begins"] for one in plan["partitions"]} == {0, 27}


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (("--from", 20, "--to", 10), SettingsError, "after --from"),
        (("--from", "1h", "--to", "2h"), SettingsError, "after --from"),
        (("--from", 1000), RelayError, "nothing of that range"),
        (("--from", "soon"), SettingsError, "--from is"),
        (("--topic", "no-such-topic"), SettingsError, "there is no topic"),
        (("--topic", "ORIGIN"), SettingsError, "sinks read it"),
        (("--topic", "ORIGIN.dlq"), SettingsError, "sinks read it"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(
    rig: SinkRig, target: str, arguments: tuple[object, ...], error: type[RelayError], words: str
) -> None:
    rig.publish(EVENTS)
    given = [str(word).replace("ORIGIN", rig.topic) for word in arguments]
    result = run(rig, "replay", "--topic", target, *given, "--execute")
    assert type(result.exception) is error
    assert words in str(result.exception)
    assert rig.query("SELECT count(*) FROM replays") == [(0,)]


def test_a_rate_is_kept(rig: SinkRig, target: str) -> None:
    rig.publish(EVENTS[:30])
    begun_s = time.monotonic()
    told(rig, "replay", "--topic", target, "--rate", 20, "--execute")
    assert time.monotonic() - begun_s >= 29 / 20


def test_without_kafka_it_ends_and_goes_on_later(rig: SinkRig, target: str) -> None:
    rig.publish(EVENTS)
    kafka, rig.kafka = rig.kafka, "127.0.0.1:1"
    error = run(rig, "replay", "--topic", target, "--execute").exception
    assert isinstance(error, Unavailable)
    rig.kafka = kafka
    assert told(rig, "replay", "--topic", target, "--execute")["sent"] == len(EVENTS)


def test_a_cancelled_replay_begins_anew_and_a_recreated_topic_is_told(rig: SinkRig, target: str) -> None:
    """Method: an unfinished row, as a killed run leaves it."""
    rig.publish(EVENTS)
    told(rig, "replay", "--topic", target, "--execute")
    rig.query("UPDATE replays SET state = 'unfinished', phase = 'copying', next_offsets = begins")
    assert told(rig, "replays", "list")["replays"][0]["state"] == "interrupted"
    assert told(rig, "replay", "--topic", target)["goes_on_with"] == 1
    assert "Not done" in run(rig, "replays", "cancel", 1).stdout
    rig.query("UPDATE replays SET origin_topic_id = gen_random_uuid()")
    error = run(rig, "replay", "--topic", target, "--execute").exception
    assert isinstance(error, StoppedForSafety)
    assert told(rig, "replays", "cancel", 1, "--execute") == {"cancelled": 1, "executed": True}
    assert isinstance(run(rig, "replays", "cancel", 1, "--execute").exception, RelayError)
    assert told(rig, "replay", "--topic", target)["goes_on_with"] is None
    assert Counter(one["state"] for one in told(rig, "replays", "list")["replays"]) == {"cancelled": 1}
