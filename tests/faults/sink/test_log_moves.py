"""The log changes under a running sink: it goes on where it can, and counts what is gone."""

import psycopg
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from tests.events import made
from tests.eventually import eventually
from tests.sink_rig import SinkRig

pytestmark = [pytest.mark.integration, pytest.mark.faults]

WAITING = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.mark.timeout(120)
def test_retention_that_overtakes_a_sink_which_lags_is_a_gap_and_not_a_standstill(
    rig: SinkRig, admin: AdminClient
) -> None:
    """Method: hold the table, let the log's beginning go, let the table go; small fetches, small batches."""
    rig.publish(made(session=f"s-{n}") for n in range(50))
    options = '{"session.timeout.ms": 6000, "max.partition.fetch.bytes": 2000, "queued.min.messages": 1}'
    sink = rig.start(SINK__BATCH_ROWS="5", KAFKA__OPTIONS=options)
    rig.wait_until_done(50)
    partition, done = rig.query("SELECT partition, next_offset FROM consumer_offsets WHERE next_offset > 0")[
        0
    ]
    with psycopg.connect(rig.database_url) as holder:
        holder.execute("LOCK TABLE sessions IN EXCLUSIVE MODE")
        rig.publish(made(session=f"s-{n}") for n in range(50, 1_000))
        eventually(lambda: rig.query(WAITING))
        for deleted in admin.delete_records([TopicPartition(rig.topic, partition, 900)]).values():
            deleted.result(10)
    eventually(lambda: rig.query("SELECT max(next_offset) FROM consumer_offsets") == [(1_000,)], within_s=60)
    rig.assert_accounted()
    gaps, written = rig.query("SELECT sum(gaps)::int, sum(written)::int FROM consumer_offsets")[0]
    assert gaps > 0
    assert gaps + written == 1_000
    assert rig.query("SELECT count(*) FROM sessions") == [(written,)]
    assert done == 50
    assert sink.poll() is None


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
        deleted.result(20)
    eventually(lambda: admin.create_topics([NewTopic(rig.topic, 3, 1)])[rig.topic].exception(20) is None)
    rig.publish(made(session=f"t-{n}") for n in range(30))
    eventually(lambda: rig.query("SELECT count(*) FROM sessions") == [(40,)], within_s=60)
    eventually(lambda: rig.query("SELECT topic_id FROM consumer_offsets WHERE next_offset = 30") != before)
    busy = "SELECT topic_id, next_offset, first_offset, gaps FROM consumer_offsets WHERE next_offset > 0"
    topic_id, *offsets = rig.query(busy)[0]
    assert offsets == [30, 0, 0]  # what it had read of the new topic before it noticed is duplicate now
    assert [(topic_id,)] != before
    rig.assert_accounted()
