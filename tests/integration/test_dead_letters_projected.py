"""What lies in the dead-letter topic is a row of `dead_letters`, once, whatever it is."""

import random
import signal
from uuid import UUID

import pytest
from confluent_kafka import Producer

from config.clock import SystemClock
from producers.dead_letters import dead_letter
from producers.delivery import Context
from producers.reading import Rejected
from schemas.codec import Problem
from tests.eventually import PATIENCE_S, eventually
from tests.hostile_headers import produce_with_header
from tests.sink_rig import SinkRig

pytestmark = pytest.mark.integration

COUNT = "SELECT count(*) FROM dead_letters"
OWN_PLACE = "origin_topic_id = kafka_topic_id AND origin_offset = kafka_offset AND origin_topic LIKE '%.dlq'"


def put(rig: SinkRig, value: bytes | None, headers: list[tuple[str, bytes | None]] | None = None) -> None:
    """A record straight into the dead-letter topic."""
    rig.producer.produce(f"{rig.topic}.dlq", value, headers=headers or [])  # type: ignore[arg-type]
    assert rig.producer.flush(PATIENCE_S) == 0


def letters(rig: SinkRig) -> int:
    return int(rig.query(COUNT)[0][0])


def accounted(rig: SinkRig) -> int:
    """Dead letters that the table has taken in, repeats included."""
    told = rig.query(
        "SELECT next_offset - first_offset, written, duplicate, gaps FROM consumer_offsets"
        f" WHERE topic = '{rig.topic}.dlq'"
    )
    moved, written, duplicate, gaps = told[0] if told else (0, 0, 0, 0)
    assert moved == written + duplicate + gaps
    return int(moved)


def test_what_the_sink_parks_becomes_a_row_with_its_bytes_and_origin(rig: SinkRig) -> None:
    rig.producer.produce(rig.topic, b"junk\x00", b"u-1", headers=[("a", b"\xff"), ("b", None)])
    rig.producer.flush(PATIENCE_S)
    rig.start()
    eventually(lambda: letters(rig) == 1)
    row = rig.query(
        "SELECT state, stage, reason, key, value, origin_topic, origin_offset, redrives,"
        " header_names[:2], header_values[:2] FROM dead_letters"
    )[0]
    assert row == (
        "open",
        "sink",
        "not_framed",
        b"u-1",
        b"junk\x00",
        rig.topic,
        0,
        0,
        ["a", "b"],
        [b"\xff", None],
    )
    origin = rig.query("SELECT origin_topic_id, origin_partition FROM dead_letters")
    assert origin == rig.query(
        f"SELECT topic_id, partition FROM consumer_offsets WHERE topic = '{rig.topic}'"
    )


def test_what_was_parked_twice_is_one_row(rig: SinkRig) -> None:
    told = {"dlq-origin-topic": "t", "dlq-origin-topic-id": str(UUID(int=1))}
    told |= {"dlq-origin-partition": "0", "dlq-origin-offset": "7"}
    headers: list[tuple[str, bytes | None]] = [(name, value.encode()) for name, value in told.items()]
    for value in (b"one", b"one", b"another"):
        put(rig, value, headers)
    rig.start()
    eventually(lambda: accounted(rig) == 3)
    assert letters(rig) == 2


def test_what_the_relay_parks_is_there_with_its_source_and_its_own_place(rig: SinkRig) -> None:
    context = Context(source="garmin", tenant="acme", received_at_us=SystemClock().now_us(), keep_raw=True)
    rejected = Rejected(3, b'{"a": 1}', [Problem("$.sleep", "is missing")])
    record = dead_letter(rejected, context, "00-1-1-01", f"{rig.topic}.dlq")
    rig.producer.produce(record.topic, record.value, record.key, headers=list(record.headers))
    rig.producer.flush(PATIENCE_S)
    rig.start()
    eventually(lambda: letters(rig) == 1)
    told = rig.query("SELECT stage, source, tenant, reason, detail, key, value FROM dead_letters")
    assert told == [("relay", "garmin", "acme", "not_an_event", "$.sleep: is missing", None, b'{"a": 1}')]
    assert rig.query(f"SELECT {OWN_PLACE} FROM dead_letters") == [(True,)]


def test_hostile_records_become_rows_and_never_dead_letters_again(rig: SinkRig) -> None:
    chance = random.Random(4)
    names = ["dlq-origin-topic", "dlq-origin-offset", "dlq-failed-at", "dlq-reason", "é"]
    for _ in range(50):
        headers = [(chance.choice(names), chance.choice([None, b"", b"\x00\xff", chance.randbytes(40)]))]
        put(rig, chance.choice([None, b"", chance.randbytes(50)]), headers)
    put(rig, chance.randbytes(3), [("dlq-reason", b"\x00" * 5_000)])
    rig.start(SINK__STORM_WINDOW="5")
    eventually(lambda: accounted(rig) == 51)
    assert letters(rig) == 51
    assert rig.query(f"SELECT bool_and({OWN_PLACE}) FROM dead_letters") == [(True,)]
    assert rig.done() == 0


def test_a_header_whose_name_is_no_text_brings_nothing_down(rig: SinkRig) -> None:
    """Python's client can't read such a name, nor write one: librdkafka is asked directly."""
    for topic in (rig.topic, f"{rig.topic}.dlq"):
        produce_with_header(rig.kafka, topic, b"junk", b"\xff\xfe")
    rig.start()
    eventually(lambda: letters(rig) == 2)
    eventually(lambda: accounted(rig) == 2)
    told = rig.query("SELECT value, 'a' = ANY (header_names), reason FROM dead_letters ORDER BY reason")
    assert told == [(b"junk", False, "not_framed"), (b"junk", False, "unknown")]


def test_a_large_dead_letter_is_a_row_too(rig: SinkRig) -> None:
    large = Producer({"bootstrap.servers": rig.kafka, "message.max.bytes": 5 * 1024 * 1024})
    large.produce(f"{rig.topic}.dlq", bytes(4 * 1024 * 1024))
    assert large.flush(PATIENCE_S) == 0
    rig.start()
    eventually(lambda: letters(rig) == 1)
    assert rig.query("SELECT length(value) FROM dead_letters") == [(4 * 1024 * 1024,)]


def test_killed_sinks_project_each_once(rig: SinkRig) -> None:
    """Method: three sinks killed while they project, a fourth ends it."""
    chance = random.Random(8)
    for turn in range(3):
        for _ in range(100):
            rig.producer.produce(f"{rig.topic}.dlq", chance.randbytes(20))
        rig.producer.flush(PATIENCE_S)
        sink = rig.start()
        eventually(lambda before=turn * 100: accounted(rig) > before)  # type: ignore[misc]
        sink.send_signal(signal.SIGKILL)
        sink.wait(PATIENCE_S)
    rig.start()
    eventually(lambda: accounted(rig) == 300)
    assert letters(rig) == 300


def test_closed_ones_are_removed_by_age_and_open_ones_never(rig: SinkRig) -> None:
    for number in range(4):
        put(rig, bytes([number]))
    sink = rig.start()
    eventually(lambda: letters(rig) == 4)
    sink.send_signal(signal.SIGTERM)
    assert sink.wait(PATIENCE_S) == 0
    rig.query("UPDATE dead_letters SET changed_at = now() - interval '40 days'")
    for number, state in enumerate(("redriven", "discarded", "skip")):
        rig.query(f"UPDATE dead_letters SET state = '{state}' WHERE origin_offset = {number}")
    rig.start(SINK__DEAD_LETTERS_KEEP_DAYS="39")
    eventually(lambda: letters(rig) == 2)
    assert rig.query("SELECT state FROM dead_letters ORDER BY id") == [("skip",), ("open",)]
