"""Where a sink goes on: the table and the log decide, never Kafka's commit."""

import signal

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from schemas.event import SessionEvent
from tests.events import made
from tests.eventually import PATIENCE_S, eventually
from tests.sink_rig import SinkRig

pytestmark = pytest.mark.integration

PARTITION = "FROM consumer_offsets ORDER BY next_offset DESC LIMIT 1"


def log_of_one_user(begin: int, end: int) -> list[SessionEvent]:
    return [made(session=f"s-{n}") for n in range(begin, end)]


def run_until(rig: SinkRig, count: int) -> None:
    """Start a sink, wait until the busiest partition stands at `count`, and end it."""
    sink = rig.start()
    eventually(lambda: rig.query("SELECT max(next_offset) FROM consumer_offsets") == [(count,)])
    sink.send_signal(signal.SIGTERM)
    assert sink.wait(PATIENCE_S) == 0


@pytest.fixture
def busy(rig: SinkRig) -> int:
    """Ten records of one user are written; the partition that they are in."""
    rig.publish(log_of_one_user(0, 10))
    run_until(rig, 10)
    return int(rig.query(f"SELECT partition {PARTITION}")[0][0])


def test_offsets_in_kafka_that_were_tampered_with_change_nothing(rig: SinkRig, busy: int) -> None:
    settings = {"bootstrap.servers": rig.kafka, "group.id": rig.topic, "enable.auto.commit": False}
    consumer = Consumer(settings)
    consumer.commit(offsets=[TopicPartition(rig.topic, busy, 3)], asynchronous=False)
    consumer.close()
    rig.publish(log_of_one_user(10, 12))
    run_until(rig, 12)
    assert rig.sums()["written"] == 12
    assert rig.sums()["duplicate"] == 0
    rig.assert_accounted()


def test_what_the_log_has_lost_is_a_gap_that_is_counted(rig: SinkRig, busy: int, admin: AdminClient) -> None:
    rig.publish(log_of_one_user(10, 20))
    for deleted in admin.delete_records([TopicPartition(rig.topic, busy, 15)]).values():
        deleted.result(PATIENCE_S)
    run_until(rig, 20)
    assert rig.query(f"SELECT gaps, written {PARTITION}") == [(5, 15)]
    rig.assert_accounted()


def test_a_log_that_was_cut_is_read_again_from_its_first_offset(rig: SinkRig, busy: int) -> None:
    rig.query("UPDATE consumer_offsets SET next_offset = 99, gaps = 7 WHERE next_offset = 10 RETURNING 1")
    rig.publish(log_of_one_user(10, 12))
    run_until(rig, 12)
    assert rig.query(f"SELECT partition, duplicate, written, gaps {PARTITION}") == [(busy, 10, 2, 0)]
    rig.assert_accounted()


def test_a_topic_that_was_recreated_is_read_from_its_first_offset(
    rig: SinkRig, busy: int, admin: AdminClient
) -> None:
    for deleted in admin.delete_topics([rig.topic]).values():
        deleted.result(PATIENCE_S)

    def created() -> bool:
        made_now = admin.create_topics([NewTopic(rig.topic, 3, 1)])
        return made_now[rig.topic].exception(20) is None

    eventually(created)
    rig.publish(log_of_one_user(8, 13))
    run_until(rig, 5)
    assert rig.query(f"SELECT partition, duplicate, written, first_offset {PARTITION}") == [(busy, 2, 3, 0)]
    assert rig.query("SELECT count(*) FROM sessions") == [(13,)]
    rig.assert_accounted()
