"""The sink's connections: checked, replaced in time, and each with its staging tables.

Several hosts in `DATABASE_URL` are tried in their order for each new connection, so that a fail-over is
a matter of new connections: those to the server that went are thrown away at the first error that says so.
"""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import get_ident
from typing import Any, Final

import psycopg
from psycopg import Connection
from psycopg.errors import ReadOnlySqlTransaction
from psycopg.types.string import BytesBinaryDumper
from psycopg_pool import ConnectionPool

from config import metrics
from config.errors import SettingsError
from config.sections import DbSettings
from consumers import statements

_ATTEMPTS_AGAIN_S: Final = 5.0


def database_url(db: DbSettings) -> str:
    """Where the database is.

    Raises:
        SettingsError: Nobody said so.
    """
    if db.url is None:
        raise SettingsError("DATABASE_URL: required by the sink")
    return db.url.get_secret_value()


class Pool(ConnectionPool):
    """A pool whose connections go together, where one tells that their server went or takes no writes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.lent = set[int]()
        """Which connections are lent out; the library's numbers hold those that are being made, too."""
        self.waiting = set[int]()
        """Threads that wait for one; the library's numbers hold those that have given up, too."""

    @contextmanager
    def connection(self, timeout: float | None = None) -> Iterator[Connection[Any]]:
        """Borrow a connection, in a transaction that is committed or rolled back.

        Args:
            timeout: Seconds to wait for one; the pool's own by default.

        Raises:
            PoolTimeout: There was none in time.
        """
        self.waiting.add(get_ident())
        with ExitStack() as stack:
            try:
                connection = stack.enter_context(super().connection(timeout))
            finally:
                self.waiting.discard(get_ident())
            self.lent.add(id(connection))
            try:
                yield connection
            except psycopg.Error as error:
                # A server turned read-only answers well, and would be asked again and again.
                if connection.broken or isinstance(error, ReadOnlySqlTransaction):
                    self.drain()
                raise
            finally:
                self.lent.discard(id(connection))


def pool_of(db: DbSettings) -> Pool:
    """A pool that is still to be opened; opened, it connects in the background."""
    return Pool(
        database_url(db),
        kwargs={
            "connect_timeout": db.connect_timeout_s,
            "application_name": "session-relay sink",
            # A server that vanishes is noticed in about 30 s; `set_session` says the same to the server.
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 4,
            "tcp_user_timeout": 30_000,
        },
        min_size=db.pool_min,
        max_size=db.pool_max,
        timeout=db.pool_timeout_s,
        # Attempts back off for so long, by default 300 s, and begin anew when that is over: never far apart,
        # so that a probe of a server that was away finds a connection, or one that is being made.
        reconnect_timeout=_ATTEMPTS_AGAIN_S,
        reconnect_failed=ConnectionPool.check,
        max_lifetime=db.max_lifetime_s,
        check=ConnectionPool.check_connection,
        configure=prepare,
        open=False,
        name="sink",
    )


def prepare(connection: Connection[Any]) -> None:
    """Make a new connection ready for batches and dead letters."""
    # else COPY takes the DB-API's dumper for bytea, which is written in Python and costs as much as the rest
    connection.adapters.register_dumper(bytes, BytesBinaryDumper)
    connection.execute(statements.SET_SESSION)
    connection.execute(statements.CREATE_STAGE)
    connection.execute(statements.CREATE_LETTER_STAGE)
    connection.commit()


def sample(pool: Pool) -> None:
    """Set the gauges that are the pool's."""
    told = pool.get_stats()
    metrics.DB_POOL_SIZE.set(told.get("pool_size", 0))
    metrics.DB_POOL_AVAILABLE.set(told.get("pool_available", 0))
    metrics.DB_POOL_IN_USE.set(len(pool.lent))
    metrics.DB_POOL_WAITING.set(len(pool.waiting))
