"""kill -9 between COMMIT and the commit to Kafka: the next sink goes on from the table alone."""

import pytest
from confluent_kafka import ConsumerGroupTopicPartitions
from confluent_kafka.admin import AdminClient

from tests.events import made
from tests.eventually import PATIENCE_S, eventually
from tests.kafka_wire import OFFSET_COMMIT, KafkaWire
from tests.sink_rig import SinkRig

pytestmark = [pytest.mark.integration, pytest.mark.faults]


def told_to_kafka(admin: AdminClient, group: str) -> int:
    """What Kafka knows of the group: the sum of its partitions' offsets."""
    asked = ConsumerGroupTopicPartitions(group)
    (answer,) = admin.list_consumer_group_offsets([asked]).values()
    return sum(at.offset for at in answer.result(PATIENCE_S).topic_partitions or [])


@pytest.mark.timeout(120)
def test_what_the_table_has_and_kafka_was_not_told_is_not_read_again(
    rig: SinkRig, admin: AdminClient
) -> None:
    """Method: a proxy swallows commits of offsets; once the write is in the table, SIGKILL the sink."""
    log = [made(session=f"s-{n}", user=f"u-{n % 9}") for n in range(60)]
    rig.publish(log[:30])
    with KafkaWire(rig.kafka) as wire:
        sink = rig.start(KAFKA__BOOTSTRAP_SERVERS=wire.bootstrap_servers)
        rig.wait_until_done(30)
        eventually(lambda: told_to_kafka(admin, rig.topic) == 30)
        for proxy in wire.proxies:
            proxy.swallowed = frozenset({OFFSET_COMMIT})
        rig.publish(log[30:50])
        rig.wait_until_done(50)
        sink.kill()
        sink.wait(PATIENCE_S)
    assert told_to_kafka(admin, rig.topic) == 30
    rig.publish(log[50:])
    rig.start()
    rig.wait_until_done(60)
    assert rig.sums()["written"] == 60
    rig.assert_as_expected(log)
