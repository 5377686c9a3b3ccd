"""Time as an argument: what is stored is wall time, what is measured is monotonic."""

import time
from typing import Protocol


class Clock(Protocol):
    """Where a component takes its time from, so that tests can hold it still."""

    def now_us(self) -> int:
        """Wall time: whole microseconds since 1970-01-01 UTC, for what is stored and shown."""
        ...

    def monotonic_s(self) -> float:
        """Seconds that are never set back: for deadlines and durations."""
        ...


class SystemClock:
    """The machine's own clocks."""

    def now_us(self) -> int:
        """Wall time in microseconds since 1970-01-01 UTC."""
        return time.time_ns() // 1_000

    def monotonic_s(self) -> float:
        """Seconds of the monotonic clock."""
        return time.monotonic()
