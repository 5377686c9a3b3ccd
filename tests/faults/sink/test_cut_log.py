"""The log ends before where the table stands: it was cut, and is read again from its first offset."""

import shutil
from pathlib import Path

import pytest

from config.embedded.services import EmbeddedServices
from tests.events import made
from tests.eventually import eventually
from tests.sink_rig import QUICK_SESSION, SinkRig

pytestmark = [pytest.mark.integration, pytest.mark.faults]
QUICK_RETURN = QUICK_SESSION.replace("}", ', "reconnect.backoff.max.ms": 500}')


@pytest.mark.timeout(180)
def test_a_broker_put_back_to_an_earlier_disk_costs_repetitions_and_no_row(
    rig: SinkRig, kafka: EmbeddedServices, tmp_path: Path
) -> None:
    """Method: stop Kafka, copy the partition's directory, write on, put the copy back; the sink runs."""
    log = [made(session=f"s-{n}") for n in range(100)]
    sink = rig.start(KAFKA__OPTIONS=QUICK_RETURN)
    rig.publish(log[:40])
    rig.wait_until_done(40)
    busy = "SELECT partition, next_offset, first_offset, duplicate, written, gaps FROM consumer_offsets"
    (partition, *_), *_ = rig.query(f"{busy} WHERE next_offset > 0")
    disk = kafka._state_dir / "kafka-1" / "data" / f"{rig.topic}-{partition}"
    kafka.stop("kafka-1")
    shutil.copytree(disk, tmp_path / "earlier")
    kafka.start("kafka-1")
    rig.publish(log[40:])
    rig.wait_until_done(100)
    kafka.stop("kafka-1")
    shutil.rmtree(disk)
    shutil.copytree(tmp_path / "earlier", disk)
    kafka.start("kafka-1")
    eventually(lambda: rig.told(sink, "partition_restarted", topic=rig.topic))
    eventually(lambda: rig.query(f"{busy} WHERE next_offset > 0") == [(partition, 40, 0, 40, 0, 0)])
    rig.publish(made(session=f"t-{n}") for n in range(10))
    eventually(lambda: rig.query(f"{busy} WHERE next_offset > 0") == [(partition, 50, 0, 40, 10, 0)])
    assert rig.query("SELECT count(*) FROM sessions") == [(110,)]
    rig.assert_accounted()
    assert sink.poll() is None
