"""A record bears a pinned schema id that this version does not know: the sink stops for a person."""

import struct

import pytest
from confluent_kafka.admin import AdminClient

from config.errors import ExitCode
from schemas.codec import encode
from tests.events import made
from tests.eventually import PATIENCE_S
from tests.faults.sink.test_postgres_gone import parked_letters
from tests.sink_rig import SinkRig

pytestmark = [pytest.mark.integration, pytest.mark.faults]

NEWER = b"\x00" + struct.pack(">I", 1_900_000_999) + encode(made())[5:]


def test_it_exits_with_3_parks_nothing_and_stands_at_that_record(rig: SinkRig, admin: AdminClient) -> None:
    """Another start ends the same way: the record is not poison, and no number of tries makes it so."""
    rig.publish([made(session="before")])
    sink = rig.start()
    rig.wait_until_done(1)
    rig.publish_bytes([(b"u-1", NEWER)])
    rig.publish([made(session="after")])
    assert sink.wait(PATIENCE_S) == ExitCode.STOPPED_FOR_SAFETY
    assert rig.start("--accept-poison", "10").wait(20) == ExitCode.STOPPED_FOR_SAFETY
    assert "1900000999" in rig.log_of(sink)
    assert [line["offset"] for line in rig.told(sink, "record_stops_the_sink")] == [1]
    assert rig.done() == 1
    assert rig.sums()["parked"] == 0
    assert parked_letters(admin, rig) == 0
