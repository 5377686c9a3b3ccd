"""A real Postgres server of one test alone: to lose it, put files in its place, or have another follow it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from config.embedded.postgres import Postgres, choose_install
from config.embedded.processes import Child, Identity, end, identify, kill, spawn
from tests.eventually import PATIENCE_S, eventually
from tests.ports import free_port


class Server:
    """One server, which is started and killed here."""

    def __init__(self, directory: Path, install: Path | None = None) -> None:
        port = free_port()
        install = install or choose_install(directory, lambda _: None)
        self.postgres = Postgres(home=directory / str(port), install=install, port=port)
        self._running: tuple[Identity, Child] | None = None

    @classmethod
    @contextmanager
    def running(cls, directory: Path) -> Iterator[Self]:
        """A new one with an empty database, ended after the block; other users must be able to enter."""
        server = cls(directory)
        server.postgres.prepare()
        try:
            server.start()
            yield server
        finally:
            server.end()

    @property
    def url(self) -> str:
        """How to reach its database."""
        return self.postgres.url

    @property
    def data(self) -> Path:
        """Its data directory."""
        return self.postgres.home / "data"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        child = spawn(self.postgres.launch())
        identity = identify(child.process.pid)
        assert identity is not None
        self._running = identity, child
        eventually(self.postgres.is_ready)

    def kill(self) -> None:
        """`kill -9` of it with all that belongs to it."""
        assert self._running is not None
        identity, child = self._running
        self._running = None
        kill(identity)
        child.process.wait(PATIENCE_S)

    def end(self) -> None:
        """End it in order, if it runs."""
        if self._running is not None:
            identity, child = self._running
            self._running = None
            end([identity])
            child.process.wait(PATIENCE_S)
