"""Reading a request's body within bounds of size and time."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Protocol

from granian.rsgi import (  # type: ignore[attr-defined]  # re-exported without saying so
    ProtocolClosed,
    ProtocolError,
)

from producers.delivery import Headers, Incomplete, TooLarge


class Incoming(Protocol):
    """The body of a request that is arriving (RSGI's HTTP protocol)."""

    async def __call__(self) -> bytes:
        """All of it."""
        ...

    def __aiter__(self) -> AsyncIterator[bytes]:
        """Piece by piece."""
        ...


class BodyReader:
    """Reads the bodies of one event loop's requests.

    Args:
        limit_bytes: More is refused, whether or not a length was announced.
        timeout_s: Seconds for a body to arrive, checked as often as `sweep` is called: a timer for each
            request would cost more than reading it.
    """

    def __init__(self, limit_bytes: int, timeout_s: float) -> None:
        self._limit_bytes, self._timeout_s = limit_bytes, timeout_s
        self._loop = asyncio.get_running_loop()
        self._since_s: dict[asyncio.Task[Any] | None, float] = {}  # oldest first
        self._late: set[asyncio.Task[Any]] = set()

    async def read(self, incoming: Incoming, headers: Headers) -> bytes:
        """Read one body.

        Raises:
            TooLarge: It is, or says it is, longer than the limit.
            Incomplete: It did not arrive in time, or its sender has hung up.
        """
        announced = headers.get("content-length")
        # hyper takes digits only, and any number of zeros before them; Python does not
        if announced is not None and int(announced.lstrip("0") or 0) > self._limit_bytes:
            raise TooLarge
        task = asyncio.current_task(self._loop)
        self._since_s[task] = self._loop.time()
        try:
            return await (incoming() if announced is not None else self._read_stream(incoming))
        except (ProtocolClosed, ProtocolError):
            raise Incomplete from None
        except asyncio.CancelledError:
            if task is None or task not in self._late:
                raise  # somebody else's wish
            task.uncancel()
            raise Incomplete from None
        finally:
            del self._since_s[task]
            if self._late and task is not None:
                self._late.discard(task)

    def sweep(self) -> None:
        """End the reading of bodies that have taken too long; called every second or so."""
        oldest_s = self._loop.time() - self._timeout_s
        for task, since_s in self._since_s.items():
            if since_s > oldest_s:
                return
            if task is not None and task not in self._late:
                self._late.add(task)
                task.cancel()

    async def _read_stream(self, incoming: Incoming) -> bytes:
        """Read chunks up to their end, or to a broken one, of which Granian tells nothing.

        That is no harm: JSON and content codings know their own end, and signatures are over the whole.
        """
        body = bytearray()
        async for piece in incoming:
            body += piece
            if len(body) > self._limit_bytes:
                raise TooLarge
        return bytes(body)
