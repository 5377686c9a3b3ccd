"""A record that Postgres rejects is counted as parked, at whatever moment a rebuild meets it."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from config.migrations.check import connect
from config.settings import load
from consumers.decoding import Decoder
from consumers.replay.notes import Replays
from consumers.replay.order import Order
from consumers.replay.origin import LogOrigin
from consumers.replay.rebuild import Building, Rebuild
from tests.events import made
from tests.sink_rig import SinkRig

pytestmark = pytest.mark.integration
PARKED = "SELECT sum(parked) FROM rebuild_1.consumer_offsets"


@contextmanager
def begun(rig: SinkRig, monkeypatch: pytest.MonkeyPatch) -> Iterator[Building]:
    """A rebuild, step by step."""
    for name, value in rig.environment().items():
        monkeypatch.setenv(name, value)
    settings = load("sink")
    with connect(rig.database_url) as connection:
        replays, origin = Replays(connection), LogOrigin(settings.kafka, rig.topic)
        rebuild = Rebuild(settings, connection, origin, Decoder())
        replay = replays.begin(Order(), origin.held, rebuild.ranges(), "seeding")
        with rebuild.begun(replays, replay) as building:
            yield building


def test_one_that_comes_between_fold_and_comparison(rig: SinkRig, monkeypatch: pytest.MonkeyPatch) -> None:
    """Method: the steps one by one; the record is published, and parked by a sink, between them."""
    rig.query("ALTER TABLE sessions ADD CONSTRAINT tame CHECK (session_id <> 'beast')")
    rig.publish(made(session=f"s-{n}") for n in range(20))
    rig.start()
    rig.wait_until_done(20)
    with begun(rig, monkeypatch) as building:
        building.catch_up(lambda _: None)
        rig.publish([made(session="beast"), made(session="later")])
        rig.wait_until_done(22)
        difference = building.compare(most=5, show_values=False)
    assert (difference.only_in_log, difference.only_in_table, difference.differing) == (0, 0, 0)
    assert rig.query(PARKED) == [(1,)]
    assert rig.query("SELECT count(*) FROM rebuild_1.sessions") == [(21,)]
