"""How a sink is told to end, and watched while it does.

A call of librdkafka's may never return, and keep Python's lock with it, and so every thread (see `_leave` in
consumers/member.py). A watch below Python then tells where they stand, and ends the process with 1.
"""

import faulthandler
import signal
from threading import Event
from typing import Final

_GRACE_S: Final = 1.0


class Ending:
    """The end of this process, told by a signal or by itself.

    Args:
        within_s: Seconds from its begin after which, and a second more, nobody waits any longer.
    """

    def __init__(self, within_s: float) -> None:
        self.stop = Event()
        """What every thread looks at."""
        self._within_s, self._watched = within_s, False

    def by_signals(self) -> None:
        """Begin at SIGTERM or SIGINT; to be called by the main thread."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.begin())

    def begin(self) -> None:
        """Let everybody stop, and see to it that they do."""
        if not self._watched:
            self._watched = True
            faulthandler.dump_traceback_later(self._within_s + _GRACE_S, exit=True)
        self.stop.set()

    def done(self) -> None:
        """Watch no more."""
        faulthandler.cancel_dump_traceback_later()
