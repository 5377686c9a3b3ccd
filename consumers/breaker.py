"""The circuit around Postgres: pybreaker, used by one thread, with one probe per period.

pybreaker holds its lock for the whole of a call, changes its state only when it is called, and waits by
the wall clock. None of this hurts here: it only hears how the work of the one writing thread ended, and
this class tells that thread how long to wait and opens the half of the door itself, by a clock that is
never set back.
"""

from collections.abc import Callable
from contextlib import suppress
from typing import Final, TypeVar

import structlog

from config import metrics
from config.clock import Clock
from config.imports import without
from consumers.fates import PostgresUnavailable

with without("redis"):  # for states in Redis, which we don't use: a sixth of the sink's start
    from pybreaker import CircuitBreaker, CircuitBreakerListener

log = structlog.get_logger()

T = TypeVar("T")
NAME: Final = "postgres"
_GAUGE: Final = {"closed": 0, "half-open": 1, "open": 2}


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
        self._breaker = CircuitBreaker(
            fail_max=failures,
            reset_timeout=reset_s,
            listeners=[_Transitions()],
            throw_new_error_on_trip=False,
            name=NAME,
        )
        metrics.BREAKER_STATE.labels(name=NAME).set(_GAUGE["closed"])

    @property
    def state(self) -> str:
        """One of closed, half-open, open; as of the last call."""
        return str(self._breaker.current_state)

    def wait_s(self) -> float:
        """Seconds until the next call may be made; 0 unless it is open."""
        if self.state != "open":
            return 0.0
        return max(0.0, self._probe_at_s - self._clock.monotonic_s())

    def failed(self, error: PostgresUnavailable) -> None:
        """Count a failure, whether of `call` or met outside it."""

        def again() -> None:
            raise error

        metrics.DB_CONNECTION_ERRORS.inc()
        self._probe_at_s = self._clock.monotonic_s() + self._reset_s
        with suppress(PostgresUnavailable):
            self._tell(again)

    def call(self, work: Callable[[], T]) -> T:
        """Do the work; when open, this call is the probe, so `wait_s` has to be waited for first.

        pybreaker is only told how it ended: it takes an error that it is to ignore for a success, and
        a Kafka that is away says nothing of Postgres. After such an error a half-open circuit stays so.

        Raises:
            PostgresUnavailable: What the work raised; any other error of it passes without being counted.
        """
        if self.state == "open":
            self._breaker.half_open()
        try:
            result = work()
        except PostgresUnavailable as error:
            self.failed(error)
            raise
        self._tell(lambda: None)
        return result

    def _tell(self, ending: Callable[[], None]) -> None:
        if self.state == "open":
            self._breaker.half_open()  # an open one would refuse to listen
        self._breaker.call(ending)


class _Transitions(CircuitBreakerListener):
    def state_change(self, cb: CircuitBreaker, old_state: object, new_state: object) -> None:
        """Log and count a change of state."""
        to = str(getattr(new_state, "name", new_state))
        metrics.BREAKER_STATE.labels(name=NAME).set(_GAUGE[to])
        metrics.BREAKER_TRANSITIONS.labels(name=NAME, to=to).inc()
        log.warning(
            "breaker_changed",
            breaker=NAME,
            before=str(getattr(old_state, "name", old_state)),
            to=to,
            failures=cb.fail_counter,
        )
