"""What the objective for events counts as late: events that were, and none that go their way once more."""

import subprocess
import time

import psycopg
import pytest
from confluent_kafka import ConsumerGroupTopicPartitions
from confluent_kafka.admin import AdminClient

from schemas.codec import encode
from schemas.event import MICROSECONDS, SessionEvent
from tests.dead_letter_commands import told
from tests.events import made
from tests.eventually import PATIENCE_S, eventually
from tests.integration.test_dead_letters_command import insert
from tests.integration.test_sink_metrics import base_url, samples
from tests.sink_rig import OUTCOMES, SinkRig

pytestmark = pytest.mark.integration

HELD = 12
BACK = "UPDATE consumer_offsets SET next_offset = first_offset"
WAITS = f"""
CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS
'BEGIN PERFORM pg_advisory_xact_lock({HELD}); RETURN NEW; END';
CREATE TRIGGER wait BEFORE INSERT ON sessions FOR EACH ROW
WHEN (NEW.session_id = 's-200') EXECUTE FUNCTION wait()
"""


def received(ago_s: int, count: int) -> list[SessionEvent]:
    """One user's events, each of a session of its own, so long ago."""
    received_at = time.time_ns() // 1_000 - ago_s * MICROSECONDS
    return [made(session=f"s-{number}", received_at=received_at) for number in range(count)]


def ages(rig: SinkRig, sink: subprocess.Popen[bytes], records: int) -> tuple[float, float]:
    """How many ages a sink has counted once it has handled so many records, and how many of them are late."""
    url = base_url(rig, sink)

    def handled() -> bool:
        told = samples(url)
        return sum(told.get(("sink_records_total", name), 0) for name in OUTCOMES) >= records

    eventually(handled)
    found = samples(url)
    every = found["event_age_seconds_count", "committed"]
    return every, every - found["event_age_seconds_bucket", "60", "committed"]


def place(admin: AdminClient, rig: SinkRig) -> set[tuple[int, str | None]]:
    """What the group has told Kafka: offsets, and what stands beside them."""
    wanted = ConsumerGroupTopicPartitions(rig.topic)
    answer = admin.list_consumer_group_offsets([wanted])[rig.topic].result(PATIENCE_S)
    return {(at.offset, at.metadata) for at in answer.topic_partitions}


def committed(rig: SinkRig, admin: AdminClient, count: int) -> None:
    """Have a sink write so many late events, tell Kafka so, and end."""
    rig.publish(received(100, count))
    sink = rig.start()
    rig.wait_until_done(count)
    eventually(lambda: count in {offset for offset, _ in place(admin, rig)})
    sink.terminate()
    assert sink.wait(PATIENCE_S) == 0


def test_an_event_that_was_late_is_late(rig: SinkRig) -> None:
    sink = rig.start()
    rig.publish([*received(100, 2), made(session="new", received_at=time.time_ns() // 1_000)])
    rig.wait_until_done(3)
    assert ages(rig, sink, 3) == (3, 2)


def test_a_dead_letter_of_yesterday_that_is_sent_again_is_not(rig: SinkRig) -> None:
    sink = rig.start()
    (event,) = received(86_400, 1)
    insert(rig, 1, value=rf"'\x{encode(event).hex()}'::bytea")
    assert told(rig, "redrive", "--all", "--execute")["redriven"] == 1
    rig.wait_until_done(1)
    assert rig.sums()["written"] == 1
    assert ages(rig, sink, 1) == (0, 0)


@pytest.mark.parametrize("rows", ["there", "gone"])
def test_what_is_read_again_is_late_but_once(rig: SinkRig, rows: str) -> None:
    """The table's offsets go back under a sink that runs; with a backup its rows go back too."""
    sink = rig.start(SINK__TOPIC_CHECK_S="1")
    rig.publish(received(100, 40))
    rig.wait_until_done(40)
    rig.query(BACK if rows == "there" else f"{BACK}; TRUNCATE sessions")
    rig.wait_until_done(40)
    rig.publish(received(100, 1))
    rig.wait_until_done(41)
    assert ages(rig, sink, 81) == (41, 41)


def test_a_recreated_topic_has_new_records(rig: SinkRig, admin: AdminClient) -> None:
    """Method: the offsets that the table holds, and the group's, are those of a topic with another id."""
    committed(rig, admin, 40)
    rig.query("UPDATE consumer_offsets SET topic_id = gen_random_uuid()")
    assert ages(rig, rig.start(), 40) == (40, 40)


def test_the_member_that_goes_on_knows_what_is_read_again(rig: SinkRig, admin: AdminClient) -> None:
    """Method: one that reads all again hangs in its third batch, and is killed."""
    committed(rig, admin, 300)
    rig.query(f"{BACK}; TRUNCATE sessions; {WAITS}")
    with psycopg.connect(rig.database_url) as holder:
        holder.execute(f"SELECT pg_advisory_lock({HELD})".encode())
        second = rig.start(SINK__BATCH_ROWS="100")
        eventually(lambda: (200, "300") in place(admin, rig))
        second.kill()
        second.wait(PATIENCE_S)
    third = rig.start()
    rig.wait_until_done(300)
    assert ages(rig, third, 100) == (0, 0)
