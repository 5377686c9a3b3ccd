"""A rebuild step by step, for tests that do something between its steps."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import pytest

from config.migrations.check import connect
from config.settings import load
from consumers.decoding import Decoder
from consumers.replay.notes import Replay, Replays
from consumers.replay.order import Order
from consumers.replay.origin import LogOrigin
from consumers.replay.rebuild import Building, Rebuild
from tests.sink_rig import SinkRig


class Begun(NamedTuple):
    """A rebuild whose shadow is there, and nothing folded yet."""

    building: Building
    replay: Replay


@contextmanager
def begun(rig: SinkRig) -> Iterator[Begun]:
    """Begin one from the log, in this process."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in rig.environment().items():
            patch.setenv(name, value)
        settings = load("sink")
    with connect(rig.database_url) as connection:
        replays, origin = Replays(connection), LogOrigin(settings.kafka, rig.topic)
        rebuild = Rebuild(settings, connection, origin, Decoder())
        replay = replays.begin(Order(), origin.held, rebuild.ranges(), "seeding")
        with rebuild.begun(replays, replay) as building:
            yield Begun(building, replay)
