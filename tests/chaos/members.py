"""Processes that are started again whenever they end, as an orchestrator would; and how they ended."""

import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Self

_LOOK_EVERY_S = 0.05
_END_WITHIN_S = 20.0
"""They promise 10 s."""
_MOST_STARTS = 25


class Member:
    """One relay or sink.

    Args:
        name: Of the role, for findings.
        launch: Starts it; gives the process and its log.
    """

    def __init__(self, name: str, launch: Callable[[], tuple["subprocess.Popen[bytes]", Path]]) -> None:
        self.name, self._launch = name, launch
        self.held = False
        """Whether it stays away for now when it ends."""
        self.problems: list[str] = []
        self.pardoned = ""
        """What a log may say where the process ends with status 1."""
        self._asked = False
        self._starts = 0
        self._judged: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self.start()

    def start(self) -> None:
        """Start it, be it for the first time or again."""
        with self._lock:
            self.held = False
            self._start()

    def _start(self) -> None:
        self._asked = False
        self._starts += 1
        self.process, self.log = self._launch()

    def signal(self, signum: signal.Signals) -> None:
        """Send a signal, if it still runs."""
        with self._lock:
            self.process.send_signal(signum)

    def kill(self, *, hold: bool = False) -> None:
        """`kill -9`."""
        with self._lock:
            self.held = hold
            self.process.kill()
            process = self.process
        process.wait()

    def terminate(self, *, hold: bool = False) -> None:
        """SIGTERM, and wait for its end."""
        with self._lock:
            self.held, self._asked = hold, True
            process = self.process
            process.send_signal(signal.SIGCONT)
            process.terminate()
        try:
            process.wait(_END_WITHIN_S)
        except subprocess.TimeoutExpired:
            self.problems.append(f"{self.name} did not end within {_END_WITHIN_S:g} s of SIGTERM")
            self.kill(hold=hold)

    def look(self) -> None:
        """Note how it ended, if it did, and start it again unless it is held."""
        status = self.process.poll()
        if status is None:
            return
        if self.process is not self._judged:
            self._judged = self.process
            self._judge(status)
        with self._lock:
            if not self.held and self.process is self._judged and self._starts < _MOST_STARTS:
                self._start()

    def _judge(self, status: int) -> None:
        """Add to the problems what nobody asked for."""
        if status == -signal.SIGKILL or (self._asked and status in {0, -signal.SIGTERM}):
            return  # SIGTERM's own status: it had not begun yet
        if not (status == 1 and self.pardoned and self.pardoned in self.log.read_text("utf-8")):
            self.problems.append(f"{self.name} ended with status {status}: {self.log.name}")


class Crew:
    """Looks after all members from a thread of its own, until its block ends."""

    def __init__(self) -> None:
        self.members: list[Member] = []
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._over.wait(_LOOK_EVERY_S):
            for member in list(self.members):
                member.look()
