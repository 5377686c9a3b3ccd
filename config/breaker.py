"""pybreaker as all circuits use it: told how work ended, it counts failures in a row and keeps the state.

Its own `call` holds its lock for the whole work, never opens around a coroutine, takes an error that it is to
ignore for a success, and waits by the wall clock: so when to wait and to probe is each circuit's own.
"""

from contextlib import suppress
from typing import Final, NoReturn

import structlog

from config import metrics
from config.imports import without

with without("redis"):  # for states in Redis, which we don't use: a sixth of the sink's start
    from pybreaker import CircuitBreaker, CircuitBreakerListener

log = structlog.get_logger()

_GAUGE: Final = {"closed": 0, "half-open": 1, "open": 2}


class _Failure(Exception):
    """Tells pybreaker that some work failed."""


class Breaker:
    """The state of one dependency, logged and counted where it changes. For one thread.

    Args:
        name: The dependency's, in logs and metrics.
        failures: So many in a row open it.
        reset_s: Seconds that it is open for at least, by pybreaker's own count.
    """

    def __init__(self, name: str, *, failures: int, reset_s: float) -> None:
        self._breaker = CircuitBreaker(
            fail_max=failures,
            reset_timeout=reset_s,
            listeners=[_Transitions()],
            throw_new_error_on_trip=False,
            name=name,
        )
        metrics.BREAKER_STATE.labels(name=name).set(_GAUGE["closed"])

    @property
    def state(self) -> str:
        """One of closed, half-open, open; as of the last that it was told."""
        return str(self._breaker.current_state)

    def half_open(self) -> None:
        """Let a probe through."""
        self._breaker.half_open()

    def succeeded(self) -> None:
        """Close it."""
        self._listening().call(lambda: None)

    def failed(self) -> None:
        """Count a failure, which opens it if it was half-open or there have been enough."""
        with suppress(_Failure):
            self._listening().call(_fail)

    def _listening(self) -> CircuitBreaker:
        if self.state == "open":
            self._breaker.half_open()  # an open one would refuse to listen
        return self._breaker


def _fail() -> NoReturn:
    raise _Failure


class _Transitions(CircuitBreakerListener):
    def state_change(self, cb: CircuitBreaker, old_state: object, new_state: object) -> None:
        """Log and count a change of state."""
        to = str(getattr(new_state, "name", new_state))
        metrics.BREAKER_STATE.labels(name=cb.name).set(_GAUGE[to])
        metrics.BREAKER_TRANSITIONS.labels(name=cb.name, to=to).inc()
        log.warning(
            "breaker_changed",
            breaker=cb.name,
            before=str(getattr(old_state, "name", old_state)),
            to=to,
            failures=cb.fail_counter,
        )
