"""How far a rebuild's fold is, noted now and then while it goes on: so it hears of a cancellation, too."""

import time
from threading import Lock

from consumers.replay.folding import Told
from consumers.replay.notes import NOTE_EVERY_S, Replay, Replays
from consumers.replay.rebuild import Building


class Progress:
    """Told of each batch; may be told by several threads, which follow a process each.

    Args:
        building: What is folded.
        replays: Where it is noted.
        replay: Its row there.
        told: Told the same counts.
    """

    def __init__(self, building: Building, replays: Replays, replay: Replay, told: Told) -> None:
        self._building, self._replays, self._replay, self._told = building, replays, replay, told
        self._noting = Lock()
        self._noted_s = time.monotonic()

    def __call__(self, count: int) -> None:
        """Pass it on, and note how far the shadow is if that was long ago.

        Raises:
            Cancelled: An operator has ended the rebuild.
        """
        self._told(count)
        with self._noting:
            if time.monotonic() - self._noted_s > NOTE_EVERY_S:
                self._replays.note(self._replay, phase="folding", next_offsets=self._building.committed())
                self._noted_s = time.monotonic()
