"""`python -m config.healthcheck`: asks the sidecar in the same container whether its role can work.

For an image's health check, where there is neither curl nor a shell to rely on. What runs is read from
the first process' own command line, so that one image serves every role.
"""

import sys
from collections.abc import Sequence
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final

from config.sections import MetricsSettings
from config.settings import load

_WITHIN_S: Final = 3.0
_FIRST_PROCESS: Final = Path("/proc/1/cmdline")
_ANY: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - compared with, not listened on


def role_of(words: Sequence[str]) -> str | None:
    """The role among a command's words; None where it is a command without a sidecar, such as `migrate`."""
    return next((word for word in words if _has_port(word)), None)


def problem(metrics: MetricsSettings, role: str) -> str | None:
    """What is wrong with a role, by its own `/readyz`; None while it can work.

    A sidecar that is off, or on a port that only the log tells, can't be asked: that is no problem.
    """
    port: int = getattr(metrics, f"{role}_port")
    if not metrics.enabled or port == 0:
        return None
    connection = HTTPConnection(_ANY.get(metrics.host, metrics.host), port, timeout=_WITHIN_S)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        body = answer.read().decode("utf-8", "replace")
    except (OSError, HTTPException) as error:
        return f"the sidecar of {role} on port {port} does not answer ({type(error).__name__})"
    finally:
        connection.close()
    return None if answer.status < 400 else body  # noqa: PLR2004 - HTTP's own line


def main(words: Sequence[str]) -> int:
    """Exit status for Docker: 0 healthy, 1 not; what is wrong is printed, and `docker inspect` shows it."""
    role = role_of(words or _FIRST_PROCESS.read_bytes().decode("utf-8", "replace").split("\0"))
    if role is None:
        return 0
    if (wrong := problem(load().metrics, role)) is not None:
        sys.stdout.write(f"{wrong}\n")
        return 1
    return 0


def _has_port(word: str) -> bool:
    return f"{word}_port" in MetricsSettings.model_fields


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
