"""How long the oldest record waits that was read and is not written: the one gauge that tells all delays."""

from collections import deque
from collections.abc import Iterable

from config.clock import Clock
from schemas.event import MICROSECONDS


class Oldest:
    """Follows batches from their first record to their COMMIT; told by one thread, asked by another."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._under_way: deque[int | None] = deque()
        self._growing_us: int | None = None
        self._failed_us: int | None = None

    def read(self, received_us: Iterable[int]) -> None:
        """The growing batch has new records, which the relay received at these times."""
        self._growing_us = _least(self._growing_us, min(received_us, default=None))

    def sent(self) -> None:
        """The growing batch went to the writing thread."""
        self._under_way.append(self._growing_us)
        self._growing_us = None

    def written(self) -> None:
        """The oldest batch under way is committed, and with it what had failed before it."""
        self._under_way.popleft()
        self._failed_us = None

    def failed(self) -> None:
        """The oldest batch under way failed or was dropped: its records are still to be written."""
        self._failed_us = _least(self._failed_us, self._under_way.popleft())

    def rewound(self) -> None:
        """The growing batch was given up: its records will be read again."""
        self._failed_us = _least(self._failed_us, self._growing_us)
        self._growing_us = None

    def age_s(self) -> float:
        """Age of the oldest such record in seconds since the relay received it; 0 when there is none."""
        oldest_us = _least(self._failed_us, *tuple(self._under_way), self._growing_us)
        if oldest_us is None:
            return 0.0
        return max(0.0, (self._clock.now_us() - oldest_us) / MICROSECONDS)


def _least(*times_us: int | None) -> int | None:
    return min((time_us for time_us in times_us if time_us is not None), default=None)
