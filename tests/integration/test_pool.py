"""The sink's connections on a real Postgres: opened ahead, checked, replaced, counted, bounded in time."""

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from psycopg import Connection
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.errors import ReadOnlySqlTransaction
from psycopg_pool import PoolTimeout
from pydantic import SecretStr

from config import metrics
from config.sections import DbSettings
from consumers.pool import Pool, pool_of, sample
from tests.eventually import PATIENCE_S, eventually
from tests.proxy import Proxy

pytestmark = pytest.mark.integration

OURS = (
    "SELECT count(*) FROM pg_stat_activity"
    " WHERE datname = current_database() AND application_name = 'session-relay sink'"
)


@contextmanager
def opened(url: str, **settings: Any) -> Iterator[Pool]:
    pool = pool_of(DbSettings(url=SecretStr(url), **settings))
    pool.open()
    try:
        yield pool
    finally:
        pool.close()


def pid(connection: Connection[Any]) -> int:
    return connection.info.backend_pid


def told(pool: Pool) -> tuple[float, ...]:
    """Size, available, in use, waiting: as the sidecar serves them."""
    sample(pool)
    gauges = "db_pool_size", "db_pool_available", "db_pool_in_use", "db_pool_waiting"
    return tuple(metrics.REGISTRY.get_sample_value(name) or 0.0 for name in gauges)


def borrow(pool: Pool) -> None:
    with pool.connection():
        pass


def show(connection: Connection[Any], name: str) -> str:
    row = connection.execute("SELECT current_setting(%s)", (name,)).fetchone()
    assert row is not None
    return str(row[0])


def test_its_numbers_are_the_designs() -> None:
    pool = pool_of(DbSettings(url=SecretStr("dbname=x")))
    assert (pool.min_size, pool.max_size, pool.max_lifetime, pool.timeout) == (2, 10, 3600, 10)


def test_the_least_number_is_connected_before_anybody_asks(database_url: str) -> None:
    with opened(database_url) as pool:
        eventually(lambda: told(pool) == (2, 2, 0, 0))
        with pool.connection() as connection:
            assert connection.execute(OURS).fetchone() == (2,)


def test_what_is_lent_and_who_waits_is_told(database_url: str) -> None:
    with opened(database_url, pool_min=1, pool_max=2) as pool, ExitStack() as lent:
        eventually(lambda: told(pool) == (1, 1, 0, 0))
        lent.enter_context(pool.connection())
        assert told(pool) == (1, 0, 1, 0)
        lent.enter_context(pool.connection())
        assert told(pool) == (2, 0, 2, 0)
        waiting = threading.Thread(target=borrow, args=(pool,))
        waiting.start()
        eventually(lambda: told(pool) == (2, 0, 2, 1))
        lent.close()
        waiting.join(PATIENCE_S)
        eventually(lambda: told(pool) == (2, 2, 0, 0))


def test_nobody_waits_longer_than_is_set(database_url: str) -> None:
    with opened(database_url, pool_min=1, pool_max=1, pool_timeout_s=0.1) as pool:
        pool.wait(30)
        with pool.connection(), pytest.raises(PoolTimeout), pool.connection():
            pass


def test_a_connection_that_died_is_never_lent(database_url: str) -> None:
    """Method: the server ends it while it lies idle; the check is a round trip before each loan."""
    with opened(database_url, pool_min=1, pool_max=1) as pool:
        with pool.connection() as connection:
            before = pid(connection)
        with opened(database_url, pool_min=1, pool_max=1) as others, others.connection() as other:
            other.execute("SELECT pg_terminate_backend(%s)", (before,))
        with pool.connection() as connection:
            assert pid(connection) != before
            assert show(connection, "application_name") == "session-relay sink"


def test_a_connection_past_its_time_is_replaced(database_url: str) -> None:
    with opened(database_url, pool_min=1, pool_max=1, max_lifetime_s=0.05) as pool:
        with pool.connection() as connection:
            before = pid(connection)

        def is_another() -> bool:
            with pool.connection() as connection:
                return pid(connection) != before

        eventually(is_another)


def test_a_server_that_vanishes_or_whose_client_does_is_noticed_in_30_s(database_url: str) -> None:
    """Both ends look after 10 s, then every 5 s, 4 times."""
    with opened(database_url) as pool, pool.connection() as connection:
        server = [show(connection, f"tcp_keepalives_{name}") for name in ("idle", "interval", "count")]
        assert server == ["10", "5", "4"]
        with socket.socket(fileno=socket.dup(connection.fileno())) as ours:
            options = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT, socket.TCP_USER_TIMEOUT)
            told_tcp = [ours.getsockopt(socket.IPPROTO_TCP, option) for option in options]
            assert told_tcp == [10, 5, 4, 30_000]


def test_a_server_that_turned_read_only_loses_all_its_connections(database_url: str) -> None:
    """Else those that lie idle would be lent again and again: to a check they look well."""
    with opened(database_url) as pool:
        eventually(lambda: told(pool) == (2, 2, 0, 0))
        with pool.connection() as one, pool.connection() as other:
            before = {pid(one), pid(other)}
        with pytest.raises(ReadOnlySqlTransaction), pool.connection() as connection:
            connection.execute("SET TRANSACTION READ ONLY; DELETE FROM sessions")
        eventually(lambda: told(pool) == (2, 2, 0, 0))
        with pool.connection() as one, pool.connection() as other:
            assert before.isdisjoint({pid(one), pid(other)})


@pytest.mark.timeout(60)
def test_after_a_long_outage_a_caller_need_not_wait_long(database_url: str) -> None:
    """By itself the pool's own attempts would be 8 s apart by then, and in the end minutes.

    Method: a port that nobody listens on for several times the pool's waiting time, then a server there.
    """
    server = conninfo_to_dict(database_url)
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = make_conninfo(database_url, host="127.0.0.1", port=port)
    with opened(url, pool_timeout_s=1) as pool:
        for _ in range(8):
            with pytest.raises(PoolTimeout), pool.connection():
                pass
            assert told(pool)[1:] == (0, 0, 0)
        behind = str(server["host"]), int(str(server["port"]))
        with Proxy(*behind, port), pool.connection(timeout=4) as connection:
            assert show(connection, "application_name") == "session-relay sink"
