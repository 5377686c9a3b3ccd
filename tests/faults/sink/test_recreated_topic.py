"""The topic is deleted and made again: it is read from its first offset, whatever its offsets say."""

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.events import made
from tests.eventually import PATIENCE_S, eventually
from tests.sink_rig import SinkRig

pytestmark = [pytest.mark.integration, pytest.mark.faults]


@pytest.mark.timeout(120)
def test_a_topic_recreated_under_a_running_sink_is_read_from_its_first_offset(
    rig: SinkRig, admin: AdminClient
) -> None:
    """Method: delete and create while it runs, and fill beyond where it stood: no offset tells it."""
    rig.publish(made(session=f"s-{n}") for n in range(10))
    rig.start(SINK__TOPIC_CHECK_S="1")
    rig.wait_until_done(10)
    before = rig.query("SELECT DISTINCT topic_id FROM consumer_offsets")
    for deleted in admin.delete_topics([rig.topic]).values():
        deleted.result(PATIENCE_S)
    eventually(lambda: admin.create_topics([NewTopic(rig.topic, 3, 1)])[rig.topic].exception(20) is None)
    rig.publish(made(session=f"t-{n}") for n in range(30))
    eventually(lambda: rig.query("SELECT count(*) FROM sessions") == [(40,)])
    eventually(lambda: rig.query("SELECT topic_id FROM consumer_offsets WHERE next_offset = 30") != before)
    busy = "SELECT topic_id, next_offset, first_offset, gaps FROM consumer_offsets WHERE next_offset > 0"
    topic_id, *offsets = rig.query(busy)[0]
    assert offsets == [30, 0, 0]  # what it had read of the new topic before it noticed is duplicate now
    assert [(topic_id,)] != before
    rig.assert_accounted()
