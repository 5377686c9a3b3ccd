"""The public port: Granian's embeddable server in our own event loop, bounded."""

import asyncio
import socket
from contextlib import suppress
from os import dup
from typing import Any

from granian.constants import HTTPModes
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.net import SocketSpec  # type: ignore[attr-defined]  # re-exported without saying so
from granian.server.embed import Server

from config.errors import SettingsError
from config.logs import GRANIAN_LOGGING
from config.sections import HttpSettings
from producers.web import Web


class Listener:
    """Serves a `Web`, HTTP/1.1 only: a vendor needs no more, and each version has limits of its own.

    Headers are bounded in time and size and to 100 of them by hyper; an idle connection is closed after
    the time for headers. Connections beyond `max_connections` wait in the kernel's queue.

    Args:
        web: The application.
        http: Address and bounds.
    """

    def __init__(self, web: Web, http: HttpSettings) -> None:
        self._host = http.host
        address = _free_address(http.host, http.port)
        self._server = _Server(
            web,
            address=address,  # Granian takes numbers only
            port=http.port,
            http=HTTPModes.http1,
            websockets=False,
            backlog=http.max_connections,
            backpressure=http.max_connections,
            http1_settings=HTTP1Settings(
                header_read_timeout=int(http.header_timeout_s * 1_000), max_buffer_size=http.max_header_bytes
            ),
            log_dictconfig=GRANIAN_LOGGING,
            log_level=LogLevels.error,  # the rest is chatter, and that embedding is young is known
        )
        self._server.opened = asyncio.Event()
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> int:
        """Open the port.

        Returns:
            The port, a free one if 0 was asked for.

        Raises:
            SettingsError: The address can't be listened on.
        """
        self._serving = asyncio.create_task(self._server.serve())
        opened = asyncio.create_task(self._server.opened.wait())
        await asyncio.wait({self._serving, opened}, return_when=asyncio.FIRST_COMPLETED)
        if not opened.done():
            opened.cancel()
            error = self._serving.exception()
            raise SettingsError(f"can't listen on {self._host}: {error}") from error
        return self._server.bound_port

    async def close(self, timeout_s: float) -> None:
        """Take no more connections, and let those that are open end."""
        if self._serving is None:
            return
        self._server.stop()  # type: ignore[no-untyped-call]  # the library's
        with suppress(TimeoutError):
            await asyncio.wait_for(self._serving, timeout_s)


class _Server(Server):
    """Granian's own, which tells its port: it would open port 0 without saying which it got."""

    bound_port = 0
    opened: asyncio.Event
    _shd: Any
    _sfd: Any

    def _init_shared_socket(self) -> None:
        # as Granian itself does outside Linux: one socket that is opened here and handed on
        self._ssp = None
        self._shd = SocketSpec(self.bind_addr, self.bind_port, self.backlog).build()
        self._sfd = self._shd.get_fd()
        with socket.socket(fileno=dup(self._sfd)) as ours:
            self.bound_port = ours.getsockname()[1]

    def startup(self, spawn_target: object, target_loader: object) -> None:
        super().startup(spawn_target, target_loader)  # type: ignore[no-untyped-call]  # the library's
        self.opened.set()


def _free_address(host: str, port: int) -> str:
    """The numeric address; fails on a port that is taken, which Granian would share without a word."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.listen(1)  # without SO_REUSEPORT, so that an owner of the port is noticed
            return str(address[0])
    except OSError as error:
        raise SettingsError(f"can't listen on {host} port {port}: {error.strerror}") from error
