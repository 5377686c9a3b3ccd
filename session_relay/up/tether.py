"""Runs one role so that it can't outlive its parent: `python -m session_relay.up.tether PID ARGS…`.

SIGKILL is right for a role whose parent was killed: it must survive such an end anyway, and nothing is left.
Source: prctl(2), PR_SET_PDEATHSIG.
"""

import ctypes
import os
import signal
import sys
from typing import Final

from session_relay import cli

_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h


def main() -> None:
    """Tie this process to the parent named by its id, then be `session-relay ARGS…`."""
    parent = int(sys.argv[1])
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL), 0, 0, 0)
    if os.getppid() != parent:  # it died before the setting was made
        sys.exit(1)
    sys.argv = ["session-relay", *sys.argv[2:]]
    cli.main()


if __name__ == "__main__":
    main()
