"""What ends a replay: a schema of tomorrow, silence, somebody else, a cancellation; and what it leaves."""

import struct

import psycopg
import pytest
from confluent_kafka.admin import AdminClient

from config.errors import ExitCode, RelayError, StoppedForSafety
from config.sections import KafkaSettings
from consumers.fates import KafkaUnavailable
from consumers.replay.notes import LOCK_CLASS
from consumers.replay.order import Range
from consumers.replay.reading import Reading
from schemas.codec import encode
from tests.events import made
from tests.replay_commands import ends, new_topic, run, told
from tests.sink_rig import SinkRig

pytestmark = pytest.mark.integration

NEWER = b"\x00" + struct.pack(">I", 1_900_000_999) + encode(made(session="newer"))[5:]
REBUILD = ("replay", "--rebuild", "--execute")


def test_a_schema_of_tomorrow_stops_a_rebuild_unless_it_is_stepped_over(
    rig: SinkRig, admin: AdminClient
) -> None:
    rig.publish([made(session="before")])
    rig.publish_bytes([(b"u-1", NEWER)])
    rig.publish([made(session="after")])
    home = next(number for number, end in ends(admin, rig.topic).items() if end)
    assert run(rig, "dead-letters", "park", rig.topic, home, 1, "--execute").exit_code == 0
    sink = rig.start()
    rig.wait_until_done(3)
    sink.terminate()
    assert sink.wait(30) == 0
    done = told(rig, *REBUILD)
    assert done["difference"]["columns"] == {}
    assert done["parked"] == {"skip": 1}
    assert rig.query("SELECT sum(parked) FROM rebuild_1.consumer_offsets") == [(1,)]
    run(rig, "replays", "cancel", 1, "--execute")
    rig.query("DELETE FROM dead_letters")
    error = run(rig, *REBUILD).exception
    assert isinstance(error, StoppedForSafety)
    assert error.exit_code == ExitCode.STOPPED_FOR_SAFETY
    target = new_topic(admin)
    assert told(rig, "replay", "--topic", target, "--execute")["sent"] == 3


def test_silence_of_kafka_ends_a_reading(rig: SinkRig, admin: AdminClient) -> None:
    """Method: an end that the log never reaches."""
    rig.publish([made()])
    home = next(number for number, end in ends(admin, rig.topic).items() if end)
    kafka = KafkaSettings(bootstrap_servers=rig.kafka, events_topic=rig.topic)
    with Reading(kafka, rig.topic, {home: Range(0, 5)}, patience_s=3) as reading:
        assert len(reading.read(10)) == 1
        with pytest.raises(KafkaUnavailable, match="silent"):
            reading.read(10)
        assert reading.next == {home: 1}


def test_a_reading_goes_on_to_later_ends(rig: SinkRig, admin: AdminClient) -> None:
    rig.publish([made(session=f"s-{n}", user=f"u-{n}") for n in range(300)])
    held = ends(admin, rig.topic)
    kafka = KafkaSettings(bootstrap_servers=rig.kafka, events_topic=rig.topic)
    seen: list[tuple[int, int]] = []
    with Reading(kafka, rig.topic, {number: Range(0, 0) for number in held}) as reading:
        for step in range(10, 200, 10):
            reading.extend({number: min(step, end) for number, end in held.items()})
            while records := reading.read(7):
                seen += [(partition, offset) for partition, _, offset, _ in records]
            assert reading.next == {number: min(step, end) for number, end in held.items()}
    assert sorted(seen) == [(number, offset) for number, end in held.items() for offset in range(end)]


def test_two_processes_are_never_at_one_replay(rig: SinkRig) -> None:
    rig.publish([made()])
    sink = rig.start()
    rig.wait_until_done(1)
    sink.terminate()
    assert sink.wait(30) == 0
    told(rig, *REBUILD)
    with psycopg.connect(rig.database_url, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s, 1)", (LOCK_CLASS,))
        error = run(rig, *REBUILD).exception
        assert isinstance(error, RelayError)
        assert "another process is at replay 1" in str(error)
        assert told(rig, "replays", "list")["replays"][0]["state"] == "running"
    assert told(rig, *REBUILD)["replay"] == 1
