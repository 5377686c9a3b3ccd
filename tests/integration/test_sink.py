"""A sink on real Kafka and Postgres, when nothing goes wrong but the records."""

import random
import signal

import pytest
from confluent_kafka import Consumer, Message, Producer

from config.embedded.services import EmbeddedServices
from config.errors import ExitCode
from tests.events import history, made
from tests.eventually import PATIENCE_S, eventually
from tests.services import mode
from tests.sink_rig import SinkRig

pytestmark = pytest.mark.integration


def per_user_order_kept(rig: SinkRig, count: int, seed: int) -> None:
    log = history(random.Random(seed), count, sessions=40)
    rig.publish(log)
    rig.wait_until_done(count)
    rig.assert_as_expected(log)


PROTOCOLS = ["classic"] if mode() == "floors" else ["classic", "consumer"]
"""Kafka 3.9 has groups of KIP-848 as a preview only."""


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_log_becomes_the_rows_and_sums_that_the_rule_says(rig: SinkRig, protocol: str) -> None:
    """With cooperative-sticky groups, and with those of KIP-848, whose session the broker decides about."""
    rig.start(SINK__BATCH_ROWS="64", KAFKA__GROUP_PROTOCOL=protocol, KAFKA__OPTIONS="{}")
    per_user_order_kept(rig, 1_500, seed=1)


def test_sigterm_commits_what_is_under_way_and_exits_0_in_time(rig: SinkRig) -> None:
    sink = rig.start()
    log = history(random.Random(2), 400)
    rig.publish(log)
    eventually(lambda: rig.done() > 0)
    sink.send_signal(signal.SIGTERM)
    assert sink.wait(10) == ExitCode.DONE
    rig.assert_accounted()
    rig.start()
    rig.wait_until_done(400)
    rig.assert_as_expected(log)


def test_a_record_that_cannot_be_decoded_is_parked_and_its_neighbours_are_written(
    rig: SinkRig, services: EmbeddedServices
) -> None:
    good = [made(session=f"s-{n}") for n in range(5)]
    bad = b"\x00\x00\x00\x00\x07not ours"
    rig.publish(good[:3])
    rig.publish_bytes([(b"u-1", bad), (None, None)])
    rig.publish(good[3:])
    rig.start()
    rig.wait_until_done(7)
    assert rig.sums() == {"written": 5, "duplicate": 0, "stale": 0, "passed": 0, "parked": 2, "erased": 0}
    rig.assert_accounted()
    letters = read_all(services, f"{rig.topic}.dlq", 2)
    first = next(letter for letter in letters if letter.value() == bad)
    told = first.headers()
    assert isinstance(told, list)
    headers = {name: value.decode() for name, value in told if isinstance(value, bytes)}
    assert first.key() == b"u-1"
    assert headers["dlq-reason"] == "unknown_schema"
    assert (headers["dlq-stage"], headers["dlq-origin-topic"]) == ("sink", rig.topic)
    assert (headers["dlq-origin-offset"], headers["dlq-redrives"]) == ("3", "0")
    topic_id = rig.query(f"SELECT DISTINCT topic_id::text FROM consumer_offsets WHERE topic = '{rig.topic}'")
    assert topic_id == [(headers["dlq-origin-topic-id"],)]


def test_a_record_that_is_larger_than_most_is_parked_too(rig: SinkRig) -> None:
    """By itself librdkafka would refuse what is above a million bytes, and the sink would try for ever."""
    large = Producer({"bootstrap.servers": rig.kafka, "message.max.bytes": 4 * 1024 * 1024})
    large.produce(rig.topic, b"junk" * 500_000, b"u-1")
    assert large.flush(PATIENCE_S) == 0
    rig.start()
    rig.wait_until_done(1)
    assert rig.sums()["parked"] == 1


def test_a_database_without_its_tables_is_refused_at_the_start(
    rig: SinkRig, services: EmbeddedServices
) -> None:
    sink = rig.start(DATABASE_URL=services.addresses.database_url)
    assert sink.wait(PATIENCE_S) == ExitCode.USAGE
    assert "session-relay migrate" in rig.log_of(sink)


def read_all(services: EmbeddedServices, topic: str, count: int) -> list[Message]:
    """The first records of a topic, from its beginning."""
    consumer = Consumer(
        {
            "bootstrap.servers": services.addresses.kafka_bootstrap_servers,
            "group.id": "reader",
            "auto.offset.reset": "earliest",
        }
    )
    consumer.subscribe([topic])
    found: list[Message] = []

    def all_there() -> bool:
        found.extend(consumer.consume(count, 0.2))
        return len(found) >= count

    try:
        eventually(all_there)
    finally:
        consumer.close()
    return found
