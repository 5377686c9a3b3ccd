"""The circuit around Postgres, used by one thread, with one probe per period.

It only hears how the work of the one writing thread ended, tells that thread how long to wait, and opens the
half of the door itself, by a clock that is never set back.
"""

from collections.abc import Callable
from typing import Final, TypeVar

from config import metrics
from config.breaker import Breaker
from config.clock import Clock
from consumers.fates import PostgresUnavailable

T = TypeVar("T")
NAME: Final = "postgres"


class Circuit:
    """Counts failures of Postgres in a row; open, it lets one probe through per period.

    Args:
        failures: So many in a row open it.
        reset_s: Seconds from opening to the next probe.
        clock: For the period.
    """

    def __init__(self, *, failures: int, reset_s: float, clock: Clock) -> None:
        self._clock, self._reset_s = clock, reset_s
        self._probe_at_s = 0.0
        self._breaker = Breaker(NAME, failures=failures, reset_s=reset_s)

    @property
    def state(self) -> str:
        """One of closed, half-open, open; as of the last call."""
        return self._breaker.state

    def wait_s(self) -> float:
        """Seconds until the next call may be made; 0 unless it is open."""
        if self.state != "open":
            return 0.0
        return max(0.0, self._probe_at_s - self._clock.monotonic_s())

    def failed(self) -> None:
        """Count a failure, whether of `call` or met outside it."""
        metrics.DB_CONNECTION_ERRORS.inc()
        self._probe_at_s = self._clock.monotonic_s() + self._reset_s
        self._breaker.failed()

    def call(self, work: Callable[[], T]) -> T:
        """Do the work; when open, this call is the probe, so `wait_s` has to be waited for first.

        A Kafka that is away says nothing of Postgres: after such an error a half-open circuit stays so.

        Raises:
            PostgresUnavailable: What the work raised; any other error of it passes without being counted.
        """
        if self.state == "open":
            self._breaker.half_open()
        try:
            result = work()
        except PostgresUnavailable:
            self.failed()
            raise
        self._breaker.succeeded()
        return result
