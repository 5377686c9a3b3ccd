"""The public port: Granian's embeddable server in our own event loop, bounded."""

import asyncio
import os
import socket
from functools import partial
from typing import Any

import structlog
from granian.constants import HTTPModes, SSLProtocols
from granian.http import HTTP1Settings
from granian.log import LogLevels
from granian.net import SocketHolder  # type: ignore[attr-defined]  # re-exported without saying so
from granian.server.embed import Server

from config.errors import SettingsError
from config.logs import GRANIAN_LOGGING
from config.sections import HttpSettings
from producers.exchange import Application
from producers.tls import Certificate, checked_certificate

log = structlog.get_logger()


class Listener:
    """Serves an application, HTTP/1.1 only: a vendor needs no more, and each version has limits of its own.

    Headers are bounded in time and size and to 100 of them by hyper; an idle connection is closed after
    the time for headers. Connections beyond `max_connections` wait in the kernel's queue.

    Args:
        web: The application.
        http: Address and bounds.
    """

    def __init__(self, web: Application, http: HttpSettings) -> None:
        self._web, self._http, self._host = web, http, http.host
        certificate = checked_certificate(http)
        self._socket = _bound(http.host, http.port)
        self._server = self._made(certificate)
        self._serving: asyncio.Task[None] | None = None
        self._former: set[asyncio.Task[None]] = set()
        self._renewals: set[asyncio.Task[None]] = set()
        self._renewal = asyncio.Lock()
        self._closed = False

    def _made(self, certificate: Certificate | None) -> "_Server":
        http = self._http
        address, port = self._socket.getsockname()[:2]
        server = _Server(
            self._web,
            address=address,
            port=port,
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
        server.opened, server.socket, server.certificate = asyncio.Event(), self._socket, certificate
        if certificate is not None:  # past the constructor's check: a key in memory has no path of its own
            version = str(SSLProtocols.tls12)  # whose weak ciphers rustls does not know
            server.ssl_ctx = (True, certificate.cert, certificate.key, None, version, None, [], False)
        return server

    async def start(self) -> int:
        """Open the port.

        Returns:
            The port, a free one if 0 was asked for.

        Raises:
            SettingsError: The address can't be listened on.
        """
        self._serving = await self._opened(self._server)
        return int(self._socket.getsockname()[1])

    def renew(self) -> None:
        """Begin to serve with the certificate as its files are now; if they can't be used, nothing changes.

        Granian reads a certificate once. So another server takes the same socket over, in this very
        process: a request that is under way is answered by the former one. A connection without one, idle or
        just opened, ends at that instant, before anything was promised, as an idle one always may.
        """
        renewal = asyncio.create_task(self._renew())
        self._renewals.add(renewal)
        renewal.add_done_callback(self._renewals.discard)

    async def _renew(self) -> None:
        async with self._renewal:  # one after the other: the last one has read the newest files
            if self._closed or self._serving is None:
                return
            former, serving = self._server, self._serving
            try:
                successor = self._made(checked_certificate(self._http))
                self._serving = await self._opened(successor)
            except SettingsError as error:
                log.error("certificate_refused", problem=str(error))  # noqa: TRY400 - told whole
                return
            self._server = successor
            former.stop()  # type: ignore[no-untyped-call]  # the library's
            self._former.add(serving)
            serving.add_done_callback(self._former.discard)
            log.info("certificate_renewed")

    async def _opened(self, server: "_Server") -> "asyncio.Task[None]":
        serving = asyncio.create_task(server.serve())
        opened = asyncio.create_task(server.opened.wait())
        await asyncio.wait({serving, opened}, return_when=asyncio.FIRST_COMPLETED)
        if (used := server.certificate) is not None:
            serving.add_done_callback(partial(_forget, used))
        if not opened.done():
            opened.cancel()
            error = serving.exception()
            raise SettingsError(f"can't listen on {self._host}: {error}") from error
        return serving

    async def close(self, timeout_s: float) -> None:
        """Take no more connections, and let those that are open end."""
        self._closed = True
        self._socket.close()
        if self._serving is None:
            return
        self._server.stop()  # type: ignore[no-untyped-call]  # the library's
        await asyncio.wait({self._serving, *self._former}, timeout=timeout_s)


def _forget(used: Certificate, _: "asyncio.Task[None]") -> None:
    used.close()


class _Server(Server):
    """Granian's own, on a socket that is handed to it, and which tells when it serves."""

    ssl_ctx: Any
    socket: socket.socket
    _shd: Any
    _sfd: Any
    opened: asyncio.Event
    certificate: Certificate | None

    def _init_shared_socket(self) -> None:
        # as Granian itself does outside Linux, but with a descriptor of its own, which its worker closes
        self._ssp, self._sfd = None, os.dup(self.socket.fileno())
        self._shd = SocketHolder(self._sfd, False, self.backlog)  # type: ignore[call-arg]  # its stub tells none

    def startup(self, spawn_target: object, target_loader: object) -> None:
        super().startup(spawn_target, target_loader)  # type: ignore[no-untyped-call]  # the library's
        self.opened.set()


def _bound(host: str, port: int) -> socket.socket:
    """A socket of that address; fails on a port that is taken, which Granian would share without a word."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, protocol)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            bound.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            bound.setblocking(False)
            bound.bind(address)
            bound.listen(1)  # without SO_REUSEPORT, so that an owner of the port is noticed
        except OSError:
            bound.close()
            raise
    except OSError as error:
        raise SettingsError(
            f"API_HOST, API_PORT: can't listen on {host} port {port}: {error.strerror}"
        ) from error
    return bound
