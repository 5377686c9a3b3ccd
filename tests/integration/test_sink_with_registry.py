"""A sink whose records have a registry's ids: written, parked, or waited for, as the registry says."""

import pytest

from config.errors import ExitCode
from schemas.codec import encode, frame_of
from schemas.versions import LATEST
from tests.events import made
from tests.eventually import PATIENCE_S, eventually
from tests.fake_registry import FakeRegistry, said
from tests.integration.test_sink_metrics import base_url, samples
from tests.sink_rig import SinkRig

pytestmark = pytest.mark.integration

WAITS = ("sink_oldest_unwritten_seconds",)


def value(schema_id: int, session: str) -> tuple[bytes, bytes]:
    event = made(session=session)
    return event.user_id.encode(), encode(event, frame_of(schema_id))


def test_what_the_registry_knows_is_written_and_what_it_does_not_know_is_parked(rig: SinkRig) -> None:
    with FakeRegistry.serving() as fake:
        known = fake.add(f"{rig.topic}-value", LATEST.text)
        other = fake.add("other-value", '{"type": "record", "name": "Other", "fields": []}')
        rig.publish_bytes([value(known, "s-1"), value(other, "s-2"), value(known + 99, "s-3")])
        rig.publish([made(session="s-4")])  # under our own id, which needs no registry
        rig.start(SCHEMA_REGISTRY_URL=fake.url)
        rig.wait_until_done(4)
    assert (rig.sums()["written"], rig.sums()["parked"]) == (2, 2)
    assert rig.query("SELECT session_id FROM sessions ORDER BY 1") == [("s-1",), ("s-4",)]
    rig.assert_accounted()


def test_a_registry_that_is_away_is_waited_for_and_parks_nothing(rig: SinkRig) -> None:
    with FakeRegistry.serving() as fake:
        known = fake.add(f"{rig.topic}-value", LATEST.text)
        fake.always = said(404, b"<html>a proxy's page</html>")
        sink = rig.start(SCHEMA_REGISTRY_URL=fake.url)
        rig.publish([made(session=f"before-{number}") for number in range(20)])
        rig.wait_until_done(20)
        rig.publish_bytes([value(known, f"s-{number}") for number in range(20)])
        eventually(lambda: "registry_away" in rig.log_of(sink))
        asked = len(fake.asked)  # the log tells an outage once a minute
        eventually(lambda: len(fake.asked) > asked)
        assert (rig.done(), rig.sums()["parked"], sink.poll()) == (20, 0, None)
        url = base_url(rig, sink)
        waits_s = eventually(lambda: samples(url)[WAITS])
        eventually(lambda: samples(url)[WAITS] > waits_s + 1)
        fake.always = None
        rig.wait_until_done(40)
        assert rig.sums()["written"] == 40
        eventually(lambda: samples(url)[WAITS] == 0)
        rig.assert_accounted()
        fake.always = said(503, b"")
        rig.publish_bytes([value(known, "s-more")])  # what is known needs no second question
        rig.wait_until_done(41)
        sink.terminate()
        assert sink.wait(PATIENCE_S) == ExitCode.DONE


def test_a_sink_ends_in_order_while_the_registry_is_away(rig: SinkRig) -> None:
    with FakeRegistry.serving() as fake:
        fake.always = said(503, b"")
        sink = rig.start(SCHEMA_REGISTRY_URL=fake.url)
        rig.publish_bytes([value(7, "s-1")])
        eventually(lambda: "registry_away" in rig.log_of(sink))
        sink.terminate()
        assert sink.wait(PATIENCE_S) == ExitCode.DONE
    assert rig.done() == 0
