"""Counts of requests in a moving window, in bounded memory.

A window is cut into slots. A request counts until its whole slot has left the window, so there are never
more than the rate allows in any window; a place comes free up to a twentieth of the window late. A key so
costs the same whether it made one request or a million.
"""

from collections import OrderedDict
from collections.abc import Mapping
from itertools import islice
from typing import Final

from config.clock import Clock
from config.rates import Rate

SLOTS: Final = 20
_RING: Final = SLOTS + 1
"""Slots that a window can touch: it rarely begins where a slot does."""
_SWEPT_AT_ONCE: Final = 5_000
_MICROSECONDS: Final = 1_000_000
"""Of a second."""


class _Window:
    """What one key did lately, here and as far as is known elsewhere."""

    __slots__ = ("elsewhere", "here", "newest", "total", "used")

    def __init__(self, slot: int) -> None:
        self.here = [0] * _RING
        self.elsewhere: list[int] | None = None
        self.newest = self.used = slot
        self.total = 0

    def turn(self, slot: int) -> None:
        """Let go of what has left the window."""
        for passed in range(max(self.newest + 1, slot - SLOTS), slot + 1):
            place = passed % _RING
            self.total -= self.here[place]
            self.here[place] = 0
            if self.elsewhere is not None:
                self.total -= self.elsewhere[place]
                self.elsewhere[place] = 0
        self.newest = max(self.newest, slot)

    def at(self, slot: int) -> int:
        """All requests of one slot."""
        place = slot % _RING
        return self.here[place] + (0 if self.elsewhere is None else self.elsewhere[place])


class Counts:
    """Counts by key, each against the same rate; for one thread.

    Beyond `max_keys` the key that was silent for longest is forgotten: a flood of new addresses can neither
    fill the memory nor shut out a new one, and whoever goes on sending stays counted.

    Args:
        rate: What each key may do.
        clock: Its monotonic time counts.
        max_keys: Keys that are remembered.

    Attributes:
        rate: What each key may do.
        forgotten: How many keys were forgotten for want of room.
    """

    def __init__(self, rate: Rate, clock: Clock, max_keys: int) -> None:
        self.rate, self._clock, self._max_keys = rate, clock, max_keys
        self._requests, self._slots_per_s = rate.requests, SLOTS / rate.window_s
        # slots begin together in all processes, and yet none is ever set back
        self._ahead_s = clock.now_us() / _MICROSECONDS - clock.monotonic_s()
        self._windows: OrderedDict[str, _Window] = OrderedDict()  # the last used last
        self.forgotten = 0

    def __len__(self) -> int:
        return len(self._windows)

    def slot(self) -> int:
        """The slot of this moment: how many began since 1970-01-01 UTC, by the wall clock at the start."""
        return int(self._now_s() * self._slots_per_s)

    def take(self, key: str) -> float | None:
        """Count one request.

        Returns:
            None if it is within the rate; else, uncounted, the seconds until one of this key would be.
        """
        slot = self.slot()
        window = self._windows.get(key)
        if window is None:
            window = self._begin(key, slot)
        else:
            self._windows.move_to_end(key)
            window.used = slot
            if slot != window.newest:
                window.turn(slot)
        if window.total >= self._requests:
            return self._wait_s(window)
        window.here[slot % _RING] += 1
        window.total += 1
        return None

    def sweep(self) -> None:
        """Forget what counts no more; called every second or so."""
        slot = self.slot()
        for _ in range(min(len(self._windows), _SWEPT_AT_ONCE)):
            key, window = next(iter(self._windows.items()))
            if slot - window.used <= SLOTS:
                return
            del self._windows[key]

    def latest(self, most: int) -> tuple[int, dict[str, list[int]]]:
        """The keys that were used last.

        Args:
            most: So many of them.

        Returns:
            The slot of this moment; by key the requests here in that slot, in the one before it, and so on.
        """
        slot = self.slot()
        told = {}
        for key, window in islice(reversed(self._windows.items()), most):
            window.turn(slot)
            told[key] = [window.here[(slot - age) % _RING] for age in range(_RING)]
        return slot, told

    def hear(self, key: str, elsewhere: Mapping[int, int]) -> None:
        """Take in what other processes counted.

        Of each slot the most that was ever told stays: a process that is not heard for a while has not
        taken its requests back.

        Args:
            key: Whose requests.
            elsewhere: Requests by slot; a slot that has not begun here yet is heard later.
        """
        window = self._windows.get(key)
        if window is None:
            return
        window.turn(self.slot())
        if window.elsewhere is None:
            window.elsewhere = [0] * _RING
        for slot, requests in elsewhere.items():
            if window.newest - SLOTS <= slot <= window.newest:
                more = requests - window.elsewhere[slot % _RING]
                if more > 0:
                    window.elsewhere[slot % _RING] += more
                    window.total += more

    def _now_s(self) -> float:
        return self._clock.monotonic_s() + self._ahead_s

    def _begin(self, key: str, slot: int) -> _Window:
        if len(self._windows) >= self._max_keys:
            _, oldest = self._windows.popitem(last=False)
            self.forgotten += slot - oldest.used <= SLOTS
        window = self._windows[key] = _Window(slot)
        return window

    def _wait_s(self, window: _Window) -> float:
        left = window.total
        for slot in range(window.newest - SLOTS, window.newest + 1):
            left -= window.at(slot)
            if left < self._requests:
                return max(0.0, (slot + _RING) / self._slots_per_s - self._now_s())
        raise AssertionError("a window's slots sum up to its total")
