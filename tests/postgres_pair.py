"""Two real Postgres servers, the second a streaming standby of the first: for fail-overs."""

import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import psycopg

from config.embedded.postgres import NOBODY, Postgres, choose_install
from config.embedded.processes import Child, Identity, end, identify, kill, run, spawn
from config.migrations.apply import migrate
from tests.eventually import eventually


class Pair:
    """Both servers, with a migrated database."""

    def __init__(self, directory: Path) -> None:
        install = choose_install(directory, lambda _: None)
        with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
            ports = [one.getsockname()[1], other.getsockname()[1]]
        self.first, self.second = (
            Postgres(home=directory / str(port), install=install, port=port) for port in ports
        )
        self._running: dict[int, tuple[Identity, Child]] = {}

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[Self]:
        """Start both; end them and remove their files afterwards."""
        with tempfile.TemporaryDirectory(prefix="session-relay-pair-") as name:
            Path(name).chmod(0o755)  # as root, they run as somebody who must come in
            pair = cls(Path(name))
            try:
                pair.first.prepare()
                pair._start(pair.first)
                migrate(pair.first.url)
                pair._copy_first()
                pair._start(pair.second)
                yield pair
            finally:
                pair._end()

    @property
    def url(self) -> str:
        """Either of them, whichever takes writes."""
        hosts = f"127.0.0.1:{self.first.port},127.0.0.1:{self.second.port}"
        return f"postgresql://postgres@{hosts}/session_relay?target_session_attrs=read-write"

    def kill_first(self) -> None:
        """`kill -9` of the first with all that belongs to it."""
        identity, child = self._running.pop(self.first.port)
        kill(identity)
        child.process.wait(10)

    def turn_first_read_only(self) -> None:
        """As managed services do whose disk is full: connections stay, and take no more writes."""
        with psycopg.connect(self.first.url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET default_transaction_read_only = on")
            connection.execute("SELECT pg_reload_conf()")

    def promote_second(self) -> None:
        """Make the standby a server that takes writes."""
        with psycopg.connect(self.second.url, autocommit=True) as connection:
            assert connection.execute("SELECT pg_promote(true, 30)").fetchone() == (True,)

    def _start(self, server: Postgres) -> None:
        child = spawn(server.launch())
        identity = identify(child.process.pid)
        assert identity is not None
        self._running[server.port] = identity, child
        eventually(server.is_ready, within_s=30)

    def _end(self) -> None:
        end([identity for identity, _ in self._running.values()])
        for _, child in self._running.values():
            child.process.wait(10)

    def _copy_first(self) -> None:
        self.second.home.mkdir(mode=0o700)
        if os.geteuid() == 0:
            os.chown(self.second.home, NOBODY, NOBODY)
        source = ["-h", "127.0.0.1", "-p", str(self.first.port), "-U", "postgres"]
        target = ["-D", str(self.second.home / "data"), "--write-recovery-conf", "--checkpoint=fast"]
        run(self.second._launch("pg_basebackup", [*source, *target]))
