"""A sink that is frozen and woken: others go on without it, and it does no harm when it wakes."""

import signal
from collections.abc import Iterator

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.events import made
from tests.eventually import eventually
from tests.freezing import freeze
from tests.proxy import Proxy
from tests.sink_rig import SinkRig

pytestmark = [pytest.mark.integration, pytest.mark.faults]
IN_COPY = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND state = 'active'"
    " AND query LIKE 'COPY%'"
)


@pytest.fixture
def slow_postgres(rig: SinkRig) -> Iterator[Proxy]:
    told = conninfo_to_dict(rig.database_url)
    with Proxy(str(told["host"]), int(str(told["port"]))) as proxy:
        yield proxy


@pytest.mark.timeout(240)
@pytest.mark.parametrize("events_a_session", [1, 2])
def test_frozen_inside_copy_the_other_member_writes_and_the_woken_one_writes_nothing(
    rig: SinkRig, slow_postgres: Proxy, events_a_session: int
) -> None:
    """Sessions that a batch holds twice are folded onto their rows, which must not be locked meanwhile.

    Method: a slow wire stretches COPY, SIGSTOP and silence in the middle of it, wait, SIGCONT.
    """
    numbers = [divmod(n, events_a_session) for n in range(600)]
    log = [made(session=f"s-{s}", user=f"u-{s}", sequence=n, stages=bytes(960)) for s, n in numbers]
    rig.publish(log[:1])
    through_proxy = make_conninfo(rig.database_url, host="127.0.0.1", port=slow_postgres.port)
    frozen = rig.start(DATABASE_URL=through_proxy)
    rig.wait_until_done(1)
    slow_postgres.bytes_per_s = 50_000  # 600 rows of 1.2 kB take 14 s
    rig.publish(log[1:])
    eventually(lambda: rig.query(IN_COPY))
    freeze(frozen.pid)
    slow_postgres.silence()  # what it wrote waits in the kernel's buffers, and would go on arriving
    before = rig.done()
    rig.start()
    rig.wait_until_done(len(log), within_s=1.5 + 30)
    assert before < len(log)
    sums = rig.sums()
    slow_postgres.heal()
    frozen.send_signal(signal.SIGCONT)
    # Its batch ends in a log line whichever way it fails; one that is written would leave none.
    eventually(lambda: '"job": "batch"' in rig.log_of(frozen))
    assert rig.sums() == sums
    rig.assert_as_expected(log)
    assert frozen.poll() is None  # it is an ordinary member again
