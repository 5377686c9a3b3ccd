"""Postgres answers, but slowly: the sink waits for it and stays in its group."""

import os
import random
import signal

import psycopg
import pytest
from confluent_kafka.admin import AdminClient
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.events import history
from tests.eventually import PATIENCE_S, eventually
from tests.freezing import freeze
from tests.proxy import Proxy
from tests.sink_rig import QUICK_SESSION, SinkRig

pytestmark = [pytest.mark.integration, pytest.mark.faults]

WAITING = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"

IN_TRANSACTION = (
    "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL"
    " AND pid <> pg_backend_pid()"
)


@pytest.mark.timeout(120)
def test_a_write_that_waits_longer_than_polling_may_stand_still_loses_neither_record_nor_membership(
    rig: SinkRig, admin: AdminClient
) -> None:
    """Polling goes on in its own thread while the write waits beyond `max.poll.interval.ms`.

    Method: a lock on the table for longer than the sink fills its batches, then for its stall limit, then for
    that interval.
    """
    log = history(random.Random(4), 1_500, sessions=80)
    rig.publish(log)
    with psycopg.connect(rig.database_url) as holder:
        holder.execute("LOCK TABLE sessions IN EXCLUSIVE MODE")
        sink = rig.start(
            SINK__BATCH_ROWS="100",
            DB__LOCK_TIMEOUT_S="60",
            DB__STATEMENT_TIMEOUT_S="90",
            KAFKA__OPTIONS=QUICK_SESSION.replace("}", ', "max.poll.interval.ms": 12000}'),
        )
        eventually(lambda: rig.query(WAITING))
        eventually(lambda: "polling_goes_on" in rig.log_of(sink))
        eventually(lambda: rig.query(f"{WAITING} AND now() - query_start > interval '14 s'"))
        assert rig.done() == 0
    rig.wait_until_done(len(log))
    rig.assert_as_expected(log)
    lines = [line for line in rig.log_of(sink).splitlines() if f'"{rig.topic}"' in line]
    assert sum("partitions_assigned" in line for line in lines) == 1
    members = admin.describe_consumer_groups([rig.topic])[rig.topic].result(PATIENCE_S).members
    assert len(members) == 1


@pytest.mark.timeout(90)
@pytest.mark.parametrize("kafka_too", [False, True])
def test_sigterm_ends_the_sink_in_time_though_postgres_says_nothing_any_more(
    rig: SinkRig, kafka_pid: int, kafka_too: bool
) -> None:
    """Method: a wire so slow that nothing arrives, SIGTERM in the middle of a batch; and Kafka is frozen."""
    log = history(random.Random(6), 400)
    told = conninfo_to_dict(rig.database_url)
    with Proxy(str(told["host"]), int(str(told["port"]))) as proxy:
        through = make_conninfo(rig.database_url, host="127.0.0.1", port=proxy.port)
        rig.publish(log[:1])
        sink = rig.start(DATABASE_URL=through)
        rig.wait_until_done(1)
        proxy.bytes_per_s = 10
        rig.publish(log[1:])
        eventually(lambda: rig.query(IN_TRANSACTION), within_s=10)
        if kafka_too:
            freeze(kafka_pid)
        sink.send_signal(signal.SIGTERM)
        assert sink.wait(10) == 0, rig.log_of(sink)
        os.kill(kafka_pid, signal.SIGCONT)
    assert "partitions_undrained" in rig.log_of(sink)
    rig.assert_accounted()
    rig.start()
    rig.wait_until_done(len(log))
    rig.assert_as_expected(log)
