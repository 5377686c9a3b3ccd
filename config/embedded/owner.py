"""The keeper's end of its two pipes: who started it, what they ask, and whether they still live."""

import os
import select
import signal
import sys
from collections import deque
from typing import Final

import msgspec

_STDIN: Final = 0
SUSTAINED: Final = "sustained"
"""Last argument of a keeper whose Kafka will carry load for long."""


class Ended(Exception):
    """The owner is gone, or somebody asked the keeper to end."""


class Request(msgspec.Struct):
    """One line from the owner."""

    do: str
    """detach, stop or start."""
    service: str = ""
    kill: bool = False


class Reply(msgspec.Struct, omit_defaults=True):
    """One line to the owner."""

    kind: str
    """say, ready, held, done or error."""
    text: str = ""
    exit_code: int = 1


class Owner:
    """Whoever holds the other end of standard input; its end, by whatever cause, is ours.

    The kernel closes a dead process' pipes, so `kill -9` is noticed too. Signals that ask us to end are
    taken up at the next `wait`, never in the middle of a step.
    """

    def __init__(self) -> None:
        self._attached = True
        self._ended = False
        self._unread = b""
        self._requests: deque[Request] = deque()
        self._wake, wake = os.pipe()
        os.set_blocking(wake, False)
        os.set_blocking(self._wake, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._end)
        signal.signal(signal.SIGCHLD, lambda *_: None)  # only wakes `wait`, where the dead are counted

    def tell(self, kind: str, text: str = "", exit_code: int = 1) -> None:
        """Send one line; an owner that no longer listens is no error here."""
        try:
            sys.stdout.buffer.write(msgspec.json.encode(Reply(kind, text, exit_code)) + b"\n")
            sys.stdout.buffer.flush()
        except BrokenPipeError:
            pass

    def say(self, text: str) -> None:
        """Send a line for people."""
        self.tell("say", text)

    def detach(self) -> None:
        """From now on the keeper lives on its own."""
        self._attached = False

    def wait(self, timeout_s: float | None) -> Request | None:
        """Sleep until the owner asks something, a child ends, or the time is up.

        Raises:
            Ended: The owner is gone, or a signal asked us to end.
        """
        if not self._requests and not self._ended:
            readers = [self._wake, _STDIN] if self._attached else [self._wake]
            readable, _, _ = select.select(readers, [], [], timeout_s)
            if self._wake in readable:
                os.read(self._wake, 4096)
            if _STDIN in readable:
                self._read()
        if self._ended:
            raise Ended
        return self._requests.popleft() if self._requests else None

    def pause(self, seconds: float) -> None:
        """Sleep between two looks at a condition; requests stay in their queue.

        Raises:
            Ended: As `wait`.
        """
        request = self.wait(seconds)
        if request is not None:
            self._requests.appendleft(request)

    def _read(self) -> None:
        chunk = os.read(_STDIN, 65_536)
        self._ended = self._ended or not chunk
        *lines, self._unread = (self._unread + chunk).split(b"\n")
        self._requests.extend(msgspec.json.decode(line, type=Request) for line in lines)

    def _end(self, *_: object) -> None:
        self._ended = True
