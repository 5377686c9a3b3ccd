"""kill -9 between COMMIT and the commit to Kafka: the next sink goes on from the table alone."""

import os
import signal

import psycopg
import pytest
from confluent_kafka import ConsumerGroupTopicPartitions
from confluent_kafka.admin import AdminClient

from tests.events import made
from tests.eventually import eventually
from tests.sink_rig import SinkRig

pytestmark = [pytest.mark.integration, pytest.mark.faults]

WAITING = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


def told_to_kafka(admin: AdminClient, group: str) -> int:
    """What Kafka knows of the group: the sum of its partitions' offsets."""
    asked = ConsumerGroupTopicPartitions(group)
    (answer,) = admin.list_consumer_group_offsets([asked]).values()
    return sum(at.offset for at in answer.result(10).topic_partitions or [])


@pytest.mark.timeout(120)
def test_what_the_table_has_and_kafka_was_not_told_is_not_read_again(
    rig: SinkRig, admin: AdminClient, kafka_pid: int
) -> None:
    """Method: hold the write, SIGSTOP Kafka, let the write COMMIT, SIGKILL the sink, SIGCONT Kafka."""
    log = [made(session=f"s-{n}", user=f"u-{n % 9}") for n in range(60)]
    rig.publish(log[:30])
    sink = rig.start()
    rig.wait_until_done(30)
    eventually(lambda: told_to_kafka(admin, rig.topic) == 30)
    with psycopg.connect(rig.database_url) as holder:
        holder.execute("LOCK TABLE sessions IN EXCLUSIVE MODE")
        rig.publish(log[30:50])
        eventually(lambda: rig.query(WAITING))
        os.kill(kafka_pid, signal.SIGSTOP)
    eventually(lambda: rig.done() > 30)
    sink.kill()
    sink.wait(10)
    os.kill(kafka_pid, signal.SIGCONT)
    committed = rig.done()
    assert told_to_kafka(admin, rig.topic) == 30 < committed
    rig.publish(log[50:])
    rig.start()
    rig.wait_until_done(60)
    assert rig.sums()["written"] == 60
    rig.assert_as_expected(log)
