"""The log has lost what the table still wants: a gap, counted and told, and the sink goes on behind it."""

import psycopg
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient

from tests.events import made
from tests.eventually import PATIENCE_S, eventually
from tests.integration.test_sink_metrics import base_url, samples
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
            deleted.result(PATIENCE_S)
    eventually(lambda: rig.query("SELECT max(next_offset) FROM consumer_offsets") == [(1_000,)])
    rig.assert_accounted()
    gaps, written = rig.query("SELECT sum(gaps)::int, sum(written)::int FROM consumer_offsets")[0]
    assert gaps > 0
    assert gaps + written == 1_000
    assert rig.query("SELECT count(*) FROM sessions") == [(written,)]
    assert done == 50
    assert sum(line["missing"] for line in rig.told(sink, "gap_in_log", topic=rig.topic)) == gaps
    assert samples(base_url(rig, sink))["sink_gap_records_total",] == gaps
    assert sink.poll() is None
