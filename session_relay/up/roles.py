"""The roles as child processes: started, waited for, watched, ended in order."""

import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Self

import httpx

from config.errors import RelayError, Unavailable

READY_WITHIN_S: Final = 60.0
STOP_WITHIN_S: Final = 15.0
"""The roles promise to end within 10 s; what takes longer is killed."""
_ROOT: Final = Path(__file__).resolve().parents[2]
_TAIL_BYTES: Final = 4_000
_OURS: Final = (
    "KAFKA__",
    "DB_",
    "DATABASE_URL",
    "REDIS_",
    "SOURCES",
    "ASLEEP_",
    "SINK__GROUP_ID",
    "CONFIG_FILE",
    "SECRETS_DIR",
)
"""Where else somebody's settings point must not matter here: these names are not inherited."""


class RoleDied(RelayError):
    """A role ended although nobody had asked it to; the message has the end of its log."""


class Role:
    """One role's process.

    Args:
        name: The command, such as `relay`.
        environment: Its settings, over those that are inherited.
        directory: Its working directory and that of its log; so no `.env` of the caller's is read.
        ready_url: Its readiness, as its sidecar serves it.
    """

    def __init__(self, name: str, environment: Mapping[str, str], directory: Path, ready_url: str) -> None:
        self.name = name
        self.log = directory / f"{name}.log"
        self._ready_url = ready_url
        with self.log.open("ab") as log:
            self._log_from_bytes = log.tell()
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "session_relay.up.tether", str(os.getpid()), name],
                cwd=directory,
                env=_inherited() | dict(environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # a terminal's Ctrl-C is ours, so that we end the roles in order
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def check(self) -> None:
        """Make sure that it still runs.

        Raises:
            RoleDied: It has ended.
        """
        status = self._process.poll()
        if status is not None:
            raise RoleDied(f"The {self.name} ended with status {status}; {self.log} ends:\n{self._tail()}")

    def wait_ready(self, within_s: float = READY_WITHIN_S) -> None:
        """Wait until it says that it can do its work.

        Raises:
            RoleDied: It ended instead.
            Unavailable: It did not say so in time.
        """
        deadline_s = time.monotonic() + within_s
        with httpx.Client(timeout=2.0, trust_env=False) as client:
            while not self._is_ready(client):
                self.check()
                if time.monotonic() > deadline_s:
                    raise Unavailable(f"The {self.name} is not ready after {within_s:g} s; see {self.log}.")
                time.sleep(0.05)

    def stop(self, within_s: float = STOP_WITHIN_S) -> None:
        """Ask it to end, wait, and kill it if it takes too long."""
        self._process.terminate()
        try:
            self._process.wait(within_s)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        """Nothing to do: made is started."""
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        self.stop()

    def _is_ready(self, client: httpx.Client) -> bool:
        try:
            return client.get(self._ready_url).is_success
        except httpx.TransportError:
            return False

    def _tail(self) -> str:
        with self.log.open("rb") as log:
            log.seek(max(self._log_from_bytes, self.log.stat().st_size - _TAIL_BYTES))
            return log.read().decode("utf-8", "replace").strip()


def _inherited() -> dict[str, str]:
    path = os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(_OURS)}
    return kept | {"PYTHONPATH": path}
