"""What a process knows of its own health, told instantly: nobody is asked when somebody asks.

Liveness is the role's own loop; readiness is what its real work last saw of each dependency.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from math import inf
from threading import Lock
from typing import Final

from config.clock import Clock

LIVE_PATHS: Final = ("/livez", "/live", "/health/live")
READY_PATHS: Final = ("/readyz", "/ready", "/health", "/health/ready")


@dataclass(kw_only=True)
class Dependency:
    """One thing that a role depends on, as its own work last found it; safe between threads."""

    name: str
    needed: bool
    """Whether the role can't work at all without it."""
    clock: Clock
    substitute: "Dependency | None" = None
    """What stands in for it while it is down."""
    circuit: Callable[[], str] | None = None
    """The state of the circuit breaker around it, where there is one: closed, half-open or open."""
    patience_s: float = inf
    """So many seconds after `asked` it counts as down for want of an answer."""
    _lock: Lock = field(default_factory=Lock)
    _last_success_s: float | None = None
    _failures: int = 0
    _reason: str | None = "not reached yet"
    _asked_s: float | None = None

    def asked(self) -> None:
        """Note that it was asked for something, and owes an answer."""
        with self._lock:
            if self._asked_s is None:
                self._asked_s = self.clock.monotonic_s()

    def answered(self) -> None:
        """Note that it owes no answer any more, whatever that was."""
        with self._lock:
            self._asked_s = None

    def succeeded(self) -> None:
        """Note that it just did its work."""
        with self._lock:
            self._last_success_s, self._failures, self._reason = self.clock.monotonic_s(), 0, None

    def failed(self, reason: str) -> None:
        """Note a failure; `reason` is shown to whoever can reach the port, so it names no secret."""
        with self._lock:
            self._failures, self._reason = self._failures + 1, reason

    @property
    def up(self) -> bool:
        """Whether its last use went well, and it owes no answer for too long."""
        return self._problem() is None

    def _problem(self) -> str | None:
        asked_s = self._asked_s
        silent_s = 0.0 if asked_s is None else self.clock.monotonic_s() - asked_s
        return f"no answer for {silent_s:.0f} s" if silent_s > self.patience_s else self._reason

    @property
    def bearable(self) -> bool:
        """Whether it is up, or something stands in for it."""
        return self.up or (self.substitute is not None and self.substitute.up)

    def report(self) -> dict[str, object]:
        """The dependency's row in the body of `/readyz`."""
        with self._lock:
            last_s = self._last_success_s
            circuit = {} if self.circuit is None else {"circuit": self.circuit()}
            problem = self._problem()
            return circuit | {
                "up": problem is None,
                "needed": self.needed,
                "problem": problem,
                "failures_in_a_row": self._failures,
                "last_success_s_ago": None if last_s is None else round(self.clock.monotonic_s() - last_s, 1),
            }


class Health:
    """Liveness and readiness of one process."""

    def __init__(self, clock: Clock, stalled_after_s: float = 60.0) -> None:
        self._clock = clock
        self._stalled_after_s = stalled_after_s
        self._beat_s = clock.monotonic_s()
        self._dependencies: dict[str, Dependency] = {}
        self._stopping: str | None = None

    def beat(self) -> None:
        """Note that the role's loop has turned."""
        self._beat_s = self._clock.monotonic_s()

    def stopping(self) -> None:
        """Say no to `/readyz` from now on: the role is going away."""
        self._stopping = "shutting down"

    def dependency(
        self,
        name: str,
        *,
        needed: bool,
        substitute: Dependency | None = None,
        circuit: Callable[[], str] | None = None,
        patience_s: float = inf,
    ) -> Dependency:
        """Declare a dependency; it counts as down until its first success."""
        made = Dependency(
            name=name,
            needed=needed,
            clock=self._clock,
            substitute=substitute,
            circuit=circuit,
            patience_s=patience_s,
        )
        return self._dependencies.setdefault(name, made)

    def live(self) -> tuple[int, bytes]:
        """Status and JSON body of `/livez`; 503 only when the loop has not turned for too long."""
        idle_s = self._clock.monotonic_s() - self._beat_s
        alive = idle_s < self._stalled_after_s
        return _answer(ok=alive, body={"live": alive, "loop_turned_s_ago": round(idle_s, 1)})

    def ready(self) -> tuple[int, bytes]:
        """Status and JSON body of `/readyz`; 503 only for what the role can't work without."""
        down = [name for name, one in self._dependencies.items() if one.needed and not one.bearable]
        ready = not down and self._stopping is None
        body = {
            "ready": ready,
            "problem": self._stopping or (f"{', '.join(down)} down" if down else None),
            "dependencies": {name: one.report() for name, one in self._dependencies.items()},
        }
        return _answer(ok=ready, body=body)

    def route(self, path: str) -> Callable[[], tuple[int, bytes]] | None:
        """The answer for a health path or one of its aliases, None for any other path."""
        if path in LIVE_PATHS:
            return self.live
        return self.ready if path in READY_PATHS else None


def _answer(*, ok: bool, body: Mapping[str, object]) -> tuple[int, bytes]:
    return HTTPStatus.OK if ok else HTTPStatus.SERVICE_UNAVAILABLE, json.dumps(body).encode()
