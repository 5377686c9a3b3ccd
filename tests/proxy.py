"""A TCP proxy for breaking the wire: whatever listens behind it stays real."""

import asyncio
import socket
import struct
import threading
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, Literal, Self, TypeVar

T = TypeVar("T")
Way = Literal["out", "back"]
"""From the client to the server, and from the server to the client."""
_CHUNK = 4096
_RST_ON_CLOSE = struct.pack("ii", 1, 0)
_WITHIN_S = 10.0


class Link:
    """One client's connection and the one to the server that belongs to it."""

    def __init__(self, client: asyncio.StreamWriter, server: asyncio.StreamWriter) -> None:
        self.ends = (client, server)
        self.loud = asyncio.Event()
        self.loud.set()
        self.notes: dict[int, int] = {}
        """For proxies that follow a protocol: what was asked, by the request's number."""

    def close(self, *, reset: bool) -> None:
        """End both sides: in order, what was sent still arrives, or by RST."""
        for end in self.ends:
            if reset:
                raw = end.get_extra_info("socket")
                with suppress(OSError):
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST_ON_CLOSE)
                end.transport.abort()
            else:
                end.close()


class Proxy:
    """Forwards connections to one address; can be slowed, silenced and cut. Safe in any thread.

    Attributes:
        bytes_per_s: Limit of what clients send, each connection by itself; None is no limit.
        delay_s: Held back for so long is each piece, both ways.
    """

    def __init__(self, host: str, port: int, listen_on: int = 0) -> None:
        self._target = (host, port)
        self.bytes_per_s: float | None = None
        self.delay_s = 0.0
        self._cut_in: dict[Way, int] = {}
        self._links: set[Link] = set()
        self._former: list[Link] = []
        """Ended in order, which they are not before their clients have read all."""
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._loud, self._server = self._run(self._open(listen_on))
        self.port: int = self._server.sockets[0].getsockname()[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._run(self._close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_WITHIN_S)
        self._loop.close()

    def reset(self) -> None:
        """Cut every connection that is open now, by RST; new ones are accepted."""
        self._run(self._reset())

    def silence(self) -> None:
        """Keep all connections, take new ones, and forward nothing, as a wire that swallows packets."""
        self._loop.call_soon_threadsafe(self._loud.clear)

    def mute(self) -> None:
        """Fall silent on the connections that are open now; new ones are forwarded."""
        self._loop.call_soon_threadsafe(self._mute)

    def cut(self, way: Way, after_bytes: int) -> None:
        """End the connection on which so many more bytes have gone this way, wherever that cuts a message."""
        self._cut_in[way] = after_bytes

    @property
    def is_cut(self) -> bool:
        """Whether every `cut` so far was reached."""
        return not self._cut_in

    def heal(self) -> None:
        """Forward everything as it comes; what was held back arrives."""
        self.bytes_per_s, self.delay_s = None, 0.0
        self._cut_in.clear()
        self._loop.call_soon_threadsafe(self._set_loud)

    def _mute(self) -> None:
        for link in self._links:
            link.loud.clear()

    def _set_loud(self) -> None:
        self._loud.set()
        for link in self._links:
            link.loud.set()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_WITHIN_S)

    async def _open(self, port: int) -> tuple[asyncio.Event, asyncio.Server]:
        loud = asyncio.Event()
        loud.set()
        return loud, await asyncio.start_server(self._serve, "127.0.0.1", port)

    async def _close(self) -> None:
        for listening in self._server.sockets:
            self._loop.remove_reader(listening.fileno())
        await asyncio.sleep(0)  # asyncio forgets a connection that it has accepted and not begun by `close`
        self._server.close()
        while others := asyncio.all_tasks() - {asyncio.current_task()}:  # whatever came meanwhile
            await asyncio.sleep(0)  # a task that is cancelled before its first step closes nothing
            await self._reset()
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
        for link in self._former:
            link.close(reset=True)
        await asyncio.sleep(0)  # what was aborted is closed by the loop's next turn

    async def _reset(self) -> None:
        for link in tuple(self._links):
            link.close(reset=True)

    async def _serve(self, reader: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        try:
            answers, server = await asyncio.open_connection(*self._target)
        except (OSError, asyncio.CancelledError):  # only `_close` cancels
            client.transport.abort()
            return
        link = Link(client, server)
        self._links.add(link)
        pumps = [
            asyncio.create_task(self._pump(link, "out", reader, server)),
            asyncio.create_task(self._pump(link, "back", answers, client)),
        ]
        try:
            with suppress(asyncio.CancelledError):  # asyncio (3.11) logs a cancelled `_serve` as an error
                await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            link.close(reset=False)
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)
            self._links.discard(link)
            self._former.append(link)

    async def _pump(
        self, link: Link, way: Way, source: asyncio.StreamReader, sink: asyncio.StreamWriter
    ) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while piece := await self._next(link, way, source):
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                await self._loud.wait()
                await link.loud.wait()
                left = self._cut_in.get(way)
                if left is not None and len(piece) >= left:
                    del self._cut_in[way]
                    sink.write(piece[:left])
                    return
                if left is not None:
                    self._cut_in[way] = left - len(piece)
                sink.write(piece)
                await sink.drain()
                if way == "out" and (rate := self.bytes_per_s) is not None:
                    await asyncio.sleep(len(piece) / rate)

    async def _next(self, link: Link, way: Way, source: asyncio.StreamReader) -> bytes:  # noqa: ARG002 - for proxies that follow a protocol
        """What is forwarded next; nothing at the end."""
        return await source.read(_CHUNK)
