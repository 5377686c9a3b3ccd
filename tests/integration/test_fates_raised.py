"""What Postgres really raises and what becomes of it: each state by RAISE, some by their own causes."""

import traceback
from collections.abc import Callable, Iterator
from threading import Thread

import psycopg
import pytest
from psycopg import Connection, sql
from psycopg.conninfo import make_conninfo

from config.embedded.services import EmbeddedServices
from config.errors import Poison
from consumers.fates import SQLSTATES, PostgresUnavailable, TookTooLong, TryAgain, fate_of, postgres_errors
from tests.eventually import PATIENCE_S, eventually

pytestmark = pytest.mark.integration

STATES = sorted({*(f"{one}000" if len(one) == 2 else one for one in SQLSTATES)} - {"00000"})
WAITS = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"


@pytest.fixture
def connection(database_url: str) -> Iterator[Connection]:
    with psycopg.connect(database_url, autocommit=True) as opened:
        opened.execute("CREATE TABLE t (id integer PRIMARY KEY, word varchar(3) CHECK (word <> 'bad'))")
        opened.execute("INSERT INTO t VALUES (1, 'one'), (2, 'two')")
        yield opened


@pytest.mark.parametrize("code", STATES)
def test_each_state_comes_back_with_its_fate(database_url: str, code: str) -> None:
    raising = sql.SQL("DO $$ BEGIN RAISE 'a row with secrets' USING ERRCODE = {}; END $$").format(code)
    with psycopg.connect(database_url, autocommit=True) as opened:
        with pytest.raises(psycopg.Error) as raised:
            opened.execute(raising)
        assert raised.value.sqlstate == code
        fate = fate_of(raised.value)
        assert fate is SQLSTATES.get(code, SQLSTATES[code[:2]])
        with pytest.raises(fate or psycopg.Error) as told, postgres_errors():
            raise raised.value
    if fate is not None:
        assert "secret" not in str(told.value)


DATA = {
    "a CHECK": "INSERT INTO t VALUES (3, 'bad')",
    "NOT NULL": "INSERT INTO t VALUES (NULL, 'x')",
    "a key that is there": "INSERT INTO t VALUES (1, 'x')",
    "too long": "INSERT INTO t VALUES (3, 'four')",
    "numeric overflow": "INSERT INTO t VALUES (99999999999, 'x')",
    "a bad timestamp": "SELECT '2026-02-30'::timestamptz",
    "NUL in jsonb": r"""SELECT '{"a": "\u0000"}'::jsonb -> 'a' #>> '{}', '"\u0000"'::jsonb""",
    "a key too long for an index": "CREATE TABLE wide (key text PRIMARY KEY);"
    " INSERT INTO wide SELECT string_agg(sha512(n::text::bytea)::text, '') FROM generate_series(1, 100) n",
    "a trigger that refuses": "DO $$ BEGIN RAISE EXCEPTION 'no'; END $$",
}


@pytest.mark.parametrize("statement", DATA.values(), ids=DATA)
def test_what_is_refused_as_data_is_poison(connection: Connection, statement: str) -> None:
    with pytest.raises(Poison), postgres_errors():
        connection.execute(statement.encode())


def copy_nul(connection: Connection) -> None:
    with connection.cursor().copy("COPY t FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(["int4", "text"])
        copy.write_row((3, "a\x00b"))


def test_nul_in_a_parameter_and_in_copy_is_poison(connection: Connection) -> None:
    with pytest.raises(Poison), postgres_errors():
        connection.execute("SELECT %s::text", ["a\x00b"])
    with pytest.raises(Poison), postgres_errors():
        copy_nul(connection)


def test_the_constraint_is_named_and_no_value(connection: Connection) -> None:
    with pytest.raises(Poison) as raised, postgres_errors():
        connection.execute("INSERT INTO t VALUES (3, 'bad')")
    assert raised.value.detail == "CheckViolation (23514), constraint t_word_check"
    assert "(3, bad)" not in "".join(traceback.format_exception(raised.value))


def test_statement_and_lock_time_outs_are_told_apart(connection: Connection, database_url: str) -> None:
    connection.execute("SET statement_timeout = '50ms'")
    with pytest.raises(TookTooLong), postgres_errors():
        connection.execute("SELECT pg_sleep(9)")
    connection.execute("SET statement_timeout = 0; SET lock_timeout = '50ms'")
    with psycopg.connect(database_url) as holder:
        holder.execute("LOCK TABLE t")
        with pytest.raises(PostgresUnavailable, match="55P03") as raised, postgres_errors():
            connection.execute("SELECT * FROM t")
    assert not isinstance(raised.value, TookTooLong)


def killed_by_an_operator(connection: Connection) -> None:
    connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")


def read_only(connection: Connection) -> None:
    connection.execute("SET default_transaction_read_only = on")
    connection.execute("INSERT INTO t VALUES (3, 'x')")


def idle_in_a_transaction(connection: Connection) -> None:
    connection.execute("SET idle_in_transaction_session_timeout = '1ms'")
    connection.execute("BEGIN")
    eventually(lambda: connection.execute("SELECT pg_sleep(0)") is None)


def a_file_that_is_too_large(connection: Connection) -> None:
    connection.execute("SET temp_file_limit = 0; SET work_mem = '64kB'")
    connection.execute("SELECT n FROM generate_series(1, 100000) n ORDER BY -n LIMIT 1 OFFSET 90000")


OUTAGES = (killed_by_an_operator, read_only, idle_in_a_transaction, a_file_that_is_too_large)


@pytest.mark.parametrize("outage", OUTAGES)
def test_an_outage_is_unavailable(connection: Connection, outage: Callable[[Connection], None]) -> None:
    with pytest.raises(PostgresUnavailable), postgres_errors():
        outage(connection)


def test_after_a_cut_connection_the_next_statement_is_unavailable_too(connection: Connection) -> None:
    with pytest.raises(PostgresUnavailable), postgres_errors():
        killed_by_an_operator(connection)
    with pytest.raises(PostgresUnavailable), postgres_errors():
        connection.execute("SELECT 1")


def test_too_many_connections_and_wrong_names_are_unavailable(
    connection: Connection, services: EmbeddedServices, database_url: str
) -> None:
    connection.execute("CREATE ROLE narrow LOGIN PASSWORD 'narrow' CONNECTION LIMIT 1")
    narrow = make_conninfo(database_url, user="narrow", password="narrow")
    try:
        with psycopg.connect(narrow), pytest.raises(PostgresUnavailable), postgres_errors():
            psycopg.connect(narrow)
    finally:
        connection.execute("DROP ROLE narrow")
    for wrong in ({"dbname": "nowhere"}, {"user": "nobody"}, {"port": 1}):
        with pytest.raises(PostgresUnavailable), postgres_errors():
            psycopg.connect(make_conninfo(services.addresses.database_url, **wrong))


def test_a_deadlock_is_tried_again_by_one_of_the_two(database_url: str, connection: Connection) -> None:
    update = "UPDATE t SET word = 'x' WHERE id = %s"
    fates: list[type[Exception] | None] = []

    def cross(opened: Connection, second: int) -> None:
        try:
            with postgres_errors():
                opened.execute(update, [second])
            fates.append(None)
        except TryAgain:
            fates.append(TryAgain)
        opened.rollback()

    with psycopg.connect(database_url) as one, psycopg.connect(database_url) as other:
        one.execute(update, [1])
        other.execute(update, [2])
        thread = Thread(target=cross, args=(one, 2))
        thread.start()
        eventually(lambda: connection.execute(WAITS).fetchall())
        cross(other, 1)
        thread.join(PATIENCE_S)
    assert sorted(fates, key=str) == sorted([None, TryAgain], key=str)


def test_a_lost_serialisable_race_is_tried_again(database_url: str, connection: Connection) -> None:
    with psycopg.connect(database_url) as late:
        late.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        late.execute("SELECT * FROM t")
        connection.execute("UPDATE t SET word = 'x'")
        with pytest.raises(TryAgain), postgres_errors():
            late.execute("UPDATE t SET word = 'y'")
