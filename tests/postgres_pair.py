"""Two real Postgres servers, the second a streaming standby of the first: for fail-overs."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

import psycopg

from config.embedded.postgres import NOBODY
from config.embedded.processes import run
from config.migrations.apply import migrate
from tests.postgres_server import Server


class Pair:
    """Both servers, with a migrated database."""

    def __init__(self, directory: Path) -> None:
        self.first = Server(directory)
        self.second = Server(directory, self.first.postgres.install)

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[Self]:
        """Start both; end them and remove their files afterwards."""
        with tempfile.TemporaryDirectory(prefix="session-relay-pair-") as name:
            Path(name).chmod(0o755)  # as root, they run as somebody who must come in
            pair = cls(Path(name))
            try:
                pair.first.postgres.prepare()
                pair.first.start()
                migrate(pair.first.url)
                pair._copy_first()
                pair.second.start()
                yield pair
            finally:
                pair.first.end()
                pair.second.end()

    @property
    def url(self) -> str:
        """Either of them, whichever takes writes."""
        hosts = f"127.0.0.1:{self.first.postgres.port},127.0.0.1:{self.second.postgres.port}"
        return f"postgresql://postgres@{hosts}/session_relay?target_session_attrs=read-write"

    def kill_first(self) -> None:
        """`kill -9` of the first with all that belongs to it."""
        self.first.kill()

    def turn_first_read_only(self) -> None:
        """As managed services do whose disk is full: connections stay, and take no more writes."""
        with psycopg.connect(self.first.url, autocommit=True) as connection:
            connection.execute("ALTER SYSTEM SET default_transaction_read_only = on")
            connection.execute("SELECT pg_reload_conf()")

    def promote_second(self) -> None:
        """Make the standby a server that takes writes."""
        with psycopg.connect(self.second.url, autocommit=True) as connection:
            assert connection.execute("SELECT pg_promote(true, 30)").fetchone() == (True,)

    def _copy_first(self) -> None:
        second = self.second.postgres
        second.home.mkdir(mode=0o700)
        if os.geteuid() == 0:
            os.chown(second.home, NOBODY, NOBODY)
        source = ["-h", "127.0.0.1", "-p", str(self.first.postgres.port), "-U", "postgres"]
        target = ["-D", str(self.second.data), "--write-recovery-conf", "--checkpoint=fast"]
        run(second._launch("pg_basebackup", [*source, *target]))
