"""Times that senders sign, so that what was recorded can't be sent again later."""

from config.clock import Clock

SECOND_US = 1_000_000
MILLISECOND_US = 1_000
_MAX_DIGITS = 16
"""Far beyond any time that is near, in milliseconds too, and short enough to be read at once."""


class SignedTime:
    """Whether a time is now, give or take.

    Args:
        clock: What time it is.
        tolerance_s: Seconds that it may differ, both ways, the last one included.
        unit_us: Microseconds of one of the sender's units.
    """

    def __init__(self, clock: Clock, tolerance_s: float, unit_us: int = SECOND_US) -> None:
        self._clock, self._unit_us = clock, unit_us
        self._tolerance_us = round(tolerance_s * SECOND_US)

    def is_near(self, given: str) -> bool:
        """Whether it is a whole number in plain ASCII digits, and near enough."""
        if len(given) > _MAX_DIGITS or not (given.isascii() and given.isdigit()):  # no sign, no space
            return False
        return abs(self._clock.now_us() - int(given) * self._unit_us) <= self._tolerance_us
