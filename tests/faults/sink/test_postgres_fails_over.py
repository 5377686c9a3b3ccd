"""`DATABASE_URL` names two servers: the first dies or takes no more writes, the sink goes on at the other."""

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from config.embedded.services import EmbeddedServices
from tests.events import history
from tests.eventually import PATIENCE_S, eventually
from tests.postgres_pair import Pair
from tests.sink_rig import SinkRig

pytestmark = [pytest.mark.integration, pytest.mark.faults]


@pytest.fixture
def pair() -> Iterator[Pair]:
    with Pair.running() as pair:
        yield pair


@pytest.fixture
def rig(services: EmbeddedServices, topic: str, pair: Pair, tmp_path: Path) -> Iterator[SinkRig]:
    made = SinkRig(services, topic, pair.url, tmp_path)
    yield made
    made.close()


def writable(rig: SinkRig) -> bool:
    try:
        rig.reconnect()
    except psycopg.OperationalError:
        return False
    return True


@pytest.mark.timeout(180)
@pytest.mark.parametrize(
    ("lose_first", "told"), [(Pair.kill_first, ""), (Pair.turn_first_read_only, "25006")]
)
def test_the_sink_goes_on_at_the_server_that_takes_over(
    rig: SinkRig, pair: Pair, admin: AdminClient, lose_first: Callable[[Pair], None], told: str
) -> None:
    """Replication is asynchronous: what the standby had not heard of is written again from the log.

    Method: lose the first under load, promote the second once the circuit has opened.
    """
    log = history(random.Random(8), 3_000, sessions=80)
    rig.publish(log[:1_500])
    sink = rig.start(SINK__BATCH_ROWS="50")
    eventually(lambda: rig.done() > 100)
    lose_first(pair)
    rig.publish(log[1_500:])
    eventually(lambda: '"to": "open"' in rig.log_of(sink))
    assert sink.poll() is None
    pair.promote_second()
    eventually(lambda: writable(rig))
    assert rig.query("SHOW port") == [(str(pair.second.postgres.port),)]
    rig.wait_until_done(len(log))
    rig.assert_as_expected(log)
    assert rig.sums()["parked"] == 0
    assert told in rig.log_of(sink)
    letters = TopicPartition(f"{rig.topic}.dlq", 0)
    ends = admin.list_offsets({letters: OffsetSpec.latest()})  # type: ignore[no-untyped-call]
    assert ends[letters].result(PATIENCE_S).offset == 0
