"""A rebuild step by step, for tests that do something between its steps."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

import pytest

from config.migrations.check import connect
from config.settings import load
from consumers.consumer import Record
from consumers.decoding import Decoder
from consumers.replay.notes import Replay, Replays
from consumers.replay.order import Order, Ranges
from consumers.replay.origin import LogOrigin
from consumers.replay.reading import Reading
from consumers.replay.rebuild import Building, Rebuild
from tests.sink_rig import SinkRig

_PIECE: Final = 50


class Begun(NamedTuple):
    """A rebuild whose shadow is there, and nothing folded yet."""

    building: Building
    replay: Replay


class _InPieces(Reading):
    """A log that comes slowly: a few records at a time."""

    def read(self, most: int) -> list[Record]:
        return super().read(min(most, _PIECE))


class _SlowLog(LogOrigin):
    def reading(self, ranges: Ranges) -> Reading:
        return _InPieces(self._kafka, self.held.topic, ranges)


@contextmanager
def begun(rig: SinkRig, *, slowly: bool = False) -> Iterator[Begun]:
    """Begin one from the log, in this process.

    Args:
        rig: Whose table is rebuilt.
        slowly: Whether the log comes in pieces.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name, value in rig.environment().items():
            patch.setenv(name, value)
        settings = load("sink")
    with connect(rig.database_url) as connection:
        replays = Replays(connection)
        origin = (_SlowLog if slowly else LogOrigin)(settings.kafka, rig.topic)
        rebuild = Rebuild(settings, connection, origin, Decoder())
        replay = replays.begin(Order(), origin.held, rebuild.ranges(), "seeding")
        with rebuild.begun(replays, replay) as building:
            yield Begun(building, replay)
