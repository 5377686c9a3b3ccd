"""The roles as child processes: started, waited for, watched, ended in order."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, Self, TypeVar

import httpx

from config.errors import RelayError, Unavailable
from session_relay.tether import tethered, with_our_code

T = TypeVar("T")
READY_WITHIN_S: Final = 60.0
STOP_WITHIN_S: Final = 15.0
"""The roles promise to end within 10 s; what takes longer is killed."""
_HOST: Final = "127.0.0.1"
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
    """One role's process, which listens on this machine and logs JSON.

    Its ports are those that it says it got, so that another's on a port that was meant for it is never
    taken for it.

    Args:
        name: The command, such as `relay`.
        environment: Its settings, over those that are inherited.
        directory: Its working directory and that of its log; so no `.env` of the caller's is read.
        ready_url: Where it tells that it is ready, for whoever has chosen the port; else its sidecar does.
    """

    def __init__(
        self, name: str, environment: Mapping[str, str], directory: Path, ready_url: str = ""
    ) -> None:
        self.name = name
        self._ready_url = ready_url
        self.log = directory / f"{name}.log"
        with self.log.open("ab") as log:
            self._log_from_bytes = log.tell()
            self._process = subprocess.Popen(
                # SIGKILL: a role must survive such an end anyway, and of a demo nothing is to be left
                tethered(signal.SIGKILL, name),
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

    def wait_url(self, event: str, within_s: float = READY_WITHIN_S) -> str:
        """Wait until its log tells a port, and return the address of what listens there.

        Args:
            event: The log line's name: `sidecar_started`, `relay_started`.
            within_s: Seconds to wait.

        Raises:
            RoleDied: It ended instead.
            Unavailable: It did not say so in time.
        """
        told = self._wait(lambda: self._told(event), within_s)
        return f"http://{_HOST}:{told['port']}"

    def wait_ready(self, within_s: float = READY_WITHIN_S) -> None:
        """Wait until it says that it can do its work.

        Raises:
            RoleDied: It ended instead.
            Unavailable: It did not say so in time.
        """
        url = self._ready_url or f"{self.wait_url('sidecar_started', within_s)}/readyz"
        with httpx.Client(timeout=2.0, trust_env=False) as client:
            self._wait(lambda: _is_success(client, url), within_s)

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

    def _wait(self, ask: Callable[[], T | None], within_s: float) -> T:
        """Ask until there is an answer."""
        deadline_s = time.monotonic() + within_s
        while not (answer := ask()):
            self.check()
            if time.monotonic() > deadline_s:
                raise Unavailable(f"The {self.name} is not ready after {within_s:g} s; see {self.log}.")
            time.sleep(0.05)
        return answer

    def _told(self, event: str) -> dict[str, Any] | None:
        """The line of that name in this run's part of the log."""
        with self.log.open("rb") as log:
            log.seek(self._log_from_bytes)
            lines = log.read().split(b"\n")[:-1]  # the last one may be half written
        told = (json.loads(line) for line in lines if line.startswith(b"{") and event.encode() in line)
        return next((line for line in told if line.get("event") == event), None)

    def _tail(self) -> str:
        with self.log.open("rb") as log:
            log.seek(max(self._log_from_bytes, self.log.stat().st_size - _TAIL_BYTES))
            return log.read().decode("utf-8", "replace").strip()


def _is_success(client: httpx.Client, url: str) -> bool:
    try:
        return client.get(url).is_success
    except httpx.TransportError:
        return False


def _inherited() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(_OURS)}
    return with_our_code(kept)
