"""A sink that polls too seldom is out of its group: what it has begun counts once, whoever ends it."""

import random

import psycopg
import pytest

from tests.events import history
from tests.eventually import eventually
from tests.sink_rig import SinkRig

pytestmark = [pytest.mark.integration, pytest.mark.faults]

WAITING = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
IMPATIENT = '{"session.timeout.ms": 1500, "heartbeat.interval.ms": 300, "max.poll.interval.ms": 2000}'


@pytest.mark.timeout(120)
def test_beyond_max_poll_interval_nothing_is_written_twice(rig: SinkRig) -> None:
    """The stall limit is 10 s, so that an interval of 2 s is overrun by a write that waits.

    Method: a lock on the table until the client library has left the group, a second sink, unlock.
    """
    log = history(random.Random(9), 1_500, sessions=80)
    rig.publish(log)
    patient = {"DB__LOCK_TIMEOUT_S": "60", "DB__STATEMENT_TIMEOUT_S": "90", "SINK__BATCH_ROWS": "100"}
    with psycopg.connect(rig.database_url) as holder:
        holder.execute("LOCK TABLE sessions IN EXCLUSIVE MODE")
        late = rig.start(KAFKA__OPTIONS=IMPATIENT, **patient)
        eventually(lambda: rig.query(WAITING))
        second = rig.start(**patient)
        eventually(lambda: rig.told(second, "partition_placed", topic=rig.topic))
        assert rig.done() == 0
    rig.wait_until_done(len(log))
    rig.assert_as_expected(log)
    eventually(lambda: rig.told(late, "consumer_error", problem="_MAX_POLL_EXCEEDED"))
    eventually(lambda: rig.told(late, "partitions_lost", topic=rig.topic))
    assert late.poll() is None
