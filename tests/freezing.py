"""Freezing a process so that nothing of it runs any more when that is said to be done."""

import os
import signal
from pathlib import Path

from tests.eventually import eventually

_STOPPED = frozenset("TtZX")
"""States of proc(5): stopped, traced, and those of a thread that has ended."""


def freeze(pid: int) -> None:
    """Send SIGSTOP, and wait until each thread has stopped: one on another core may yet answer a request."""
    os.kill(pid, signal.SIGSTOP)
    eventually(lambda: all(_state(thread) in _STOPPED for thread in Path(f"/proc/{pid}/task").iterdir()))


def _state(thread: Path) -> str:
    try:
        told = (thread / "stat").read_text("ascii", "replace")
    except (FileNotFoundError, ProcessLookupError):
        return "X"  # it ended between the two looks
    return told.rpartition(")")[2].split()[0]
