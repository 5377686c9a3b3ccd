"""The circuit around the vendor, for the tasks of one event loop, with one probe at a time.

Waiting and probing go by a clock that is never set back.
"""

import asyncio
from typing import Final

from config.breaker import Breaker
from config.clock import Clock
from producers.backfill.errors import VendorAway

NAME: Final = "asleep"
_PROBES: Final = 2
_A_BIT_S: Final = 0.001
"""Timers may be early by the clock's grain."""


class Circuit:
    """Lets requests through while the vendor answers; else one probe a period, and the end when patience is.

    Args:
        failures: So many in a row open it.
        reset_s: Seconds from a failure to the next probe.
        patience_s: Seconds without a good answer until `admit` raises; if there never was one, two
            periods are enough: then it is more likely a wrong address than an outage.
        clock: For both.
    """

    def __init__(self, *, failures: int, reset_s: float, patience_s: float, clock: Clock) -> None:
        self._clock, self._reset_s, self._patience_s = clock, reset_s, patience_s
        self.good_answers = 0
        """How many there have been."""
        self._away_since_s: float | None = None
        self._probe_at_s = 0.0
        self._probe = asyncio.Lock()
        self._breaker = Breaker(NAME, failures=failures, reset_s=reset_s)

    def is_closed(self) -> bool:
        """Whether the vendor is taken to be well."""
        return self._breaker.state == "closed"

    async def admit(self) -> bool:
        """Wait until a request may be made; True for a probe, after which `settled` has to be called.

        Raises:
            VendorAway: There was no good answer for too long.
        """
        if self.is_closed():
            return False
        await self._probe.acquire()
        try:
            while not self.is_closed():
                now_s = self._clock.monotonic_s()
                left_s = self._patience_left_s(now_s)
                wait_s = self._probe_at_s - now_s
                if wait_s <= 0:
                    self._breaker.half_open()
                    return True
                await asyncio.sleep(min(wait_s, left_s) + _A_BIT_S)
        except BaseException:
            self._probe.release()
            raise
        self._probe.release()
        return False

    def _patience_left_s(self, now_s: float) -> float:
        patience_s = self._patience_s if self.good_answers else min(self._patience_s, _PROBES * self._reset_s)
        away_s = 0.0 if self._away_since_s is None else now_s - self._away_since_s
        if away_s > patience_s:
            raise VendorAway(
                f"the vendor gave no good answer for {away_s:.0f} s; the same command goes on where this one "
                "ends (see ASLEEP_BASE_URL, BACKFILL__PATIENCE_S)"
            )
        return patience_s - away_s

    def settled(self) -> None:
        """Let the next one try: a probe has ended, whatever came of it."""
        self._probe.release()

    def succeeded(self) -> None:
        """Note a good answer."""
        self._away_since_s = None
        self.good_answers += 1
        self._breaker.succeeded()

    def failed(self) -> None:
        """Note a request without one."""
        now_s = self._clock.monotonic_s()
        self._probe_at_s = now_s + self._reset_s
        if self._away_since_s is None:
            self._away_since_s = now_s
        if self._breaker.state != "open":  # else it was under way when it opened
            self._breaker.failed()
