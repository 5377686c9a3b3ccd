"""A sink that sleeps past its session with a write begun is written off: woken, it finishes none of it."""

import signal

import psycopg
import pytest

from tests.events import made
from tests.eventually import eventually
from tests.freezing import freeze
from tests.sink_rig import SinkRig

pytestmark = [pytest.mark.integration, pytest.mark.faults]

WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    " AND query NOT LIKE '%CREATE TEMP%'"  # a spare connection of the pool's makes its staging table
)


@pytest.mark.timeout(120)
def test_woken_in_the_middle_of_its_write_it_writes_nothing(rig: SinkRig) -> None:
    """Two members hold partitions each. Batches that tell a session twice read its row before they COPY.

    Method: a lock on the table stops both right there, before the fence; SIGSTOP of one, unlock, wait until
    the other has taken over and written everything, SIGCONT within the 15 s that Postgres gives it.
    """
    users = [f"u-{n}" for n in range(24)]  # enough for every partition
    first = [made(session=f"s-{user}", user=user) for user in users]
    rest = [made(session=f"s-{user}", user=user, sequence=n) for user in users for n in (1, 2, 3)]
    patient = {"DB__LOCK_TIMEOUT_S": "60", "DB__STATEMENT_TIMEOUT_S": "90"}
    zombie = rig.start(**patient)
    other = rig.start(**patient)
    eventually(
        lambda: all(rig.told(sink, "partition_placed", topic=rig.topic) for sink in (zombie, other)), 30
    )
    rig.publish(first)
    rig.wait_until_done(len(first))
    with psycopg.connect(rig.database_url) as holder:
        holder.execute("LOCK TABLE sessions IN ACCESS EXCLUSIVE MODE")
        rig.publish(rest)
        eventually(lambda: rig.query(WAITING) == [(2,)])
        freeze(zombie.pid)
    rig.wait_until_done(len(first) + len(rest))
    sums = rig.sums()
    zombie.send_signal(signal.SIGCONT)
    # by the fence; or, where a first batch was of one record and got further, by the connection that is gone
    eventually(lambda: rig.told(zombie, "job_failed", job="batch") or zombie.poll() is not None)
    assert zombie.poll() is None, rig.log_of(zombie)
    eventually(lambda: rig.told(zombie, "partitions_lost", topic=rig.topic))
    rig.publish([made(session="after")])
    rig.wait_until_done(len(first) + len(rest) + 1)
    assert rig.sums() == sums | {"written": sums["written"] + 1}
    rig.assert_as_expected([*first, *rest, made(session="after")])
    assert zombie.poll() is None  # it is an ordinary member again
