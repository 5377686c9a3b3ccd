"""A TCP proxy for breaking the wire: whatever listens behind it stays real."""

import socket
import threading
import time
from contextlib import suppress
from typing import Self

_CHUNK = 4096


class Proxy:
    """Forwards connections to one address; can be slowed, and cut.

    Attributes:
        bytes_per_s: Limit of what clients send, each connection by itself; None is no limit.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self.bytes_per_s: float | None = None
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.close()
        self.reset()

    def reset(self) -> None:
        """Cut every connection that is open now; new ones are accepted."""
        for end in tuple(self._open):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._target)
                self._open |= {client, server}
                for source, sink, limited in ((client, server, True), (server, client, False)):
                    threading.Thread(target=self._pump, args=(source, sink, limited), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, limited: bool) -> None:
        with suppress(OSError):
            while chunk := source.recv(_CHUNK):
                sink.sendall(chunk)
                if limited and self.bytes_per_s is not None:
                    time.sleep(len(chunk) / self.bytes_per_s)
        for end in (source, sink):
            self._open.discard(end)
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
