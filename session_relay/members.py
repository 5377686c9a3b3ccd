"""Several sinks as children of one process: started, watched, started again, ended together."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from contextlib import suppress
from random import uniform
from threading import Event
from typing import Final

import structlog

from config.clock import Clock
from config.errors import ExitCode, SettingsError
from session_relay.tether import tethered, with_our_code

log = structlog.get_logger()

FIRST_WAIT_S: Final = 0.5
LONGEST_WAIT_S: Final = 30.0
_SOUND_AFTER_S: Final = 60.0
"""Who has run for so long is started again as if for the first time."""
_LOOK_EVERY_S: Final = 0.1
_KILL_AFTER_S: Final = 1.5
"""Beyond what a member may take to stop."""
_LAST_PORT: Final = 65_535
_FOR_A_PERSON: Final = frozenset({ExitCode.USAGE, ExitCode.STOPPED_FOR_SAFETY})
"""What another start would not mend; it would only say so again, and write on meanwhile."""
_ENDED_AS_ASKED: Final = frozenset({0, -signal.SIGTERM})
"""The latter of one that was asked before it could listen."""


def wait_before_start_s(deaths: int) -> float:
    """Seconds until a member is started again that has died so many times in a row."""
    return float(min(LONGEST_WAIT_S, FIRST_WAIT_S * 2 ** min(deaths - 1, 10)))


def ports(first: int, count: int) -> list[int]:
    """Each member's port of metrics: counted up from the first; 0, a free one, stays 0.

    Raises:
        SettingsError: There are not so many ports from there on.
    """
    if first + count - 1 > _LAST_PORT:
        raise SettingsError(f"METRICS__SINK_PORT: {count} processes need ports from {first} on, to 65535")
    return [first + index if first else 0 for index in range(count)]


class Member:
    """One child.

    Args:
        number: From 1.
        port: Of its metrics.
        arguments: The command that it runs.
        first_time: What its first start is told beside these.
    """

    def __init__(self, number: int, port: int, arguments: Sequence[str], first_time: Sequence[str]) -> None:
        self._number = number
        self._environment = _environment(port)
        self._arguments, self._first_time = [*arguments, "--member", str(number)], list(first_time)
        self._process: subprocess.Popen[bytes] | None = None
        self._deaths = 0
        self._started_s = self._start_at_s = 0.0

    def look(self, now_s: float) -> ExitCode | None:
        """Start it if it is time to; what ends all the others, if it has ended so."""
        if self._process is None:
            if now_s >= self._start_at_s:
                self._start(now_s)
            return None
        status = self._process.poll()
        if status is None:
            return None
        if status in _FOR_A_PERSON:
            log.error("member_ended", which=self._number, status=status)
            return ExitCode(status)
        self._deaths = 1 if now_s - self._started_s > _SOUND_AFTER_S else self._deaths + 1
        wait_s = wait_before_start_s(self._deaths) * uniform(0.8, 1)  # noqa: S311
        log.warning("member_died", which=self._number, status=status, again_in_s=round(wait_s, 1))
        self._process, self._start_at_s = None, now_s + wait_s
        return None

    def ask_to_stop(self) -> None:
        """Send SIGTERM."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                self._process.terminate()

    def stopped(self, within_s: float) -> ExitCode:
        """Wait for its end; one that takes too long is killed."""
        if self._process is None:
            return ExitCode.DONE
        try:
            status = self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            log.warning("member_killed", which=self._number, because="it did not stop in time")
            self._process.kill()
            status = self._process.wait()
        if status in _FOR_A_PERSON:
            return ExitCode(status)
        return ExitCode.DONE if status in _ENDED_AS_ASKED else ExitCode.FAILED

    def _start(self, now_s: float) -> None:
        self._process = subprocess.Popen(
            # SIGTERM: should this process be killed, its members leave their group in order
            tethered(signal.SIGTERM, *self._arguments, *self._first_time),
            env=self._environment,
            stdin=subprocess.DEVNULL,
            start_new_session=True,  # a terminal's Ctrl-C is for the parent, which passes it on once
        )
        self._first_time = []  # what was accepted once is not accepted again
        self._started_s = now_s
        log.info("member_started", which=self._number, pid=self._process.pid)


class Members:
    """All of them.

    Args:
        members: Not started yet.
        stop_within_s: What one may take to stop.
        clock: For waits.
    """

    def __init__(self, members: Sequence[Member], stop_within_s: float, clock: Clock) -> None:
        self._members, self._clock = members, clock
        self._stop_within_s = stop_within_s + _KILL_AFTER_S
        self._stop = Event()

    def run(self) -> ExitCode:
        """Run them until SIGTERM or SIGINT, or until one ends as only a person can mend.

        Returns:
            That member's status, or 0 if all ended in order.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self._stop.set())
        found: ExitCode | None = None
        while found is None and not self._stop.is_set():
            now_s = self._clock.monotonic_s()
            found = next(filter(None, [member.look(now_s) for member in self._members]), None)
            self._stop.wait(_LOOK_EVERY_S if found is None else 0)
        for member in self._members:
            member.ask_to_stop()
        deadline_s = self._clock.monotonic_s() + self._stop_within_s
        ends = [member.stopped(max(0.0, deadline_s - self._clock.monotonic_s())) for member in self._members]
        log.info("members_stopped", statuses=[int(end) for end in ends])
        return found or max(ends, key=_SEVERITY.index)


_SEVERITY: Final = (
    ExitCode.DONE,
    ExitCode.FAILED,
    ExitCode.UNREACHABLE,
    ExitCode.USAGE,
    ExitCode.STOPPED_FOR_SAFETY,
)


def _environment(port: int) -> Mapping[str, str]:
    """Ours, with another port, however its name is spelt there."""
    kept = {name: value for name, value in os.environ.items() if name.upper() != "METRICS__SINK_PORT"}
    return with_our_code({**kept, "METRICS__SINK_PORT": str(port)})
