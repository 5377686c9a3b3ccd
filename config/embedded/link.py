"""The owner's end of the pipes to a keeper."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

import msgspec

from config.embedded.owner import SUSTAINED, Reply, Request
from config.embedded.processes import STOP_WITHIN_S, tail
from config.errors import ExitCode, RelayError, Unavailable

_ROOT: Final = Path(__file__).resolve().parents[2]
_ENDS_WITHIN_S: Final = 5.0
"""From closing its end of the pipe to its exit."""


class Link:
    """A keeper that was started by this process, and ends with it unless it is detached.

    Args:
        state_dir: Absolute, exists.
        brokers: 1 or 3.
        jars: Kafka's, verified.
        say: Told what the keeper wants people to know.
        sustained: Kafka will carry load for long.
    """

    def __init__(
        self,
        state_dir: Path,
        brokers: int,
        jars: Path,
        say: Callable[[str], None],
        *,
        sustained: bool,
    ) -> None:
        self._say = say
        self._log = state_dir / "keeper.log"
        self._turn = threading.Lock()  # two threads' requests must not take each other's replies
        path = os.pathsep.join([str(_ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
        more = [SUSTAINED] if sustained else []
        with self._log.open("ab") as log:
            self._log_from_bytes = log.tell()
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "config.embedded.keeper", state_dir, str(brokers), jars, *more],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                env={**os.environ, "PYTHONPATH": path},
                start_new_session=True,  # a terminal's Ctrl-C and hang-up are the owner's to handle
            )

    def wait_ready(self) -> bool:
        """Wait until the services can be used; False when another keeper has the directory.

        Raises:
            RelayError: As the keeper said.
        """
        return self._reply() == "ready"

    def request(self, request: Request) -> None:
        """Have the keeper do something, and wait until it is done.

        Raises:
            RelayError: As the keeper said.
        """
        if self._process.stdin is None:
            raise TypeError
        with self._turn:
            try:
                self._process.stdin.write(msgspec.json.encode(request) + b"\n")
                self._process.stdin.flush()
            except BrokenPipeError:
                raise self._gone() from None
            self._reply()

    def detach(self) -> None:
        """Leave the keeper to itself."""
        self.request(Request("detach"))
        self._close_pipes()
        self._process.returncode = 0  # nobody waits for it any more: no warning about that

    def close(self) -> None:
        """End keeper and services."""
        self._close_pipes()
        try:
            self._process.wait(STOP_WITHIN_S + 20)
        except subprocess.TimeoutExpired:  # the kernel then ends the services
            self._process.kill()
            self._process.wait()

    def __enter__(self) -> Self:
        """Nothing to do: made is started."""
        return self

    def __exit__(self, *_: object) -> None:
        """End keeper and services."""
        self.close()

    def _close_pipes(self) -> None:
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):  # a request that nobody took is tried once more, and let go
                    pipe.close()

    def _reply(self) -> str:
        if self._process.stdout is None:
            raise TypeError
        while line := self._process.stdout.readline():
            reply = msgspec.json.decode(line, type=Reply)
            if reply.kind == "error":
                unreachable = reply.exit_code == ExitCode.UNREACHABLE
                raise Unavailable(reply.text) if unreachable else RelayError(reply.text)
            if reply.kind != "say":
                return reply.kind
            self._say(reply.text)
        raise self._gone()

    def _gone(self) -> Unavailable:
        """The error to raise when it says nothing more, with what it wrote before."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(_ENDS_WITHIN_S)
        return Unavailable(
            f"The keeper of the embedded services ended unexpectedly with status {self._process.returncode}; "
            f"{self._log} ends:\n{tail(self._log, self._log_from_bytes)}"
        )
