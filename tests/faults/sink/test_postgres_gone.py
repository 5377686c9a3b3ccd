"""Postgres goes and comes back: an outage costs time, never a record, and parks nothing."""

import random

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from config.embedded.services import EmbeddedServices
from tests.events import history
from tests.eventually import PATIENCE_S, eventually
from tests.groups import members
from tests.sink_rig import PATIENT_SESSION, SinkRig

pytestmark = [pytest.mark.integration, pytest.mark.faults]


@pytest.mark.timeout(180)
@pytest.mark.parametrize("mode", ["fast", "kill"])
def test_the_sink_pauses_keeps_its_membership_and_goes_on_by_itself(
    rig: SinkRig, postgres: EmbeddedServices, admin: AdminClient, mode: str
) -> None:
    """Method: stop the server under load until the circuit has opened and probed, then start it again."""
    log = history(random.Random(3), 2_000, sessions=80)
    rig.publish(log[:1_000])
    sink = rig.start(SINK__BATCH_ROWS="50", KAFKA__OPTIONS=PATIENT_SESSION)
    eventually(lambda: rig.done() > 100)
    before = members(admin, rig.topic)
    postgres.stop("postgres", mode=mode)  # type: ignore[arg-type]
    rig.publish(log[1_000:])
    eventually(lambda: '"to": "open"' in rig.log_of(sink))
    eventually(lambda: rig.log_of(sink).count('"to": "half-open"') >= 2)
    assert members(admin, rig.topic) == before
    assert sink.poll() is None
    postgres.start("postgres")
    rig.reconnect()
    rig.wait_until_done(len(log))
    rig.assert_as_expected(log)
    assert rig.sums()["parked"] == 0
    assert members(admin, rig.topic) == before
    assert '"to": "closed"' in rig.log_of(sink)
    assert parked_letters(admin, rig) == 0


def parked_letters(admin: AdminClient, rig: SinkRig) -> int:
    at = TopicPartition(f"{rig.topic}.dlq", 0)
    return int(admin.list_offsets({at: OffsetSpec.latest()})[at].result(PATIENCE_S).offset)  # type: ignore[no-untyped-call]
