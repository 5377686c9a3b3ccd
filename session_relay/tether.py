"""Runs one command so that it can't outlive its parent: `python -m session_relay.tether PID SIGNAL ARGS…`.

Source: prctl(2), PR_SET_PDEATHSIG.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path
from typing import Final

from session_relay import cli

_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h
_ROOT: Final = Path(__file__).resolve().parents[1]


def tethered(death_signal: signal.Signals, *arguments: str) -> list[str]:
    """The program and arguments of `session-relay ARGUMENTS…` as a child of this process.

    Args:
        death_signal: What the kernel sends it when the thread that started it ends.
        arguments: The command and its options.
    """
    tether = [sys.executable, "-P", "-m", "session_relay.tether"]
    return [*tether, str(os.getpid()), str(int(death_signal)), *arguments]


def with_our_code(environment: dict[str, str]) -> dict[str, str]:
    """An environment in which such a child finds this code, installed or not, wherever it is started."""
    path = os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    return environment | {"PYTHONPATH": path}


def main() -> None:
    """Tie this process to the parent named by its id, then be `session-relay ARGS…`."""
    parent, death_signal = int(sys.argv[1]), int(sys.argv[2])
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0)
    if os.getppid() != parent:  # it died before the setting was made
        sys.exit(1)
    sys.argv = ["session-relay", *sys.argv[3:]]
    cli.program()


if __name__ == "__main__":
    main()
