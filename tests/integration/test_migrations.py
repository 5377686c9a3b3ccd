import re
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from config.embedded.services import EmbeddedServices
from config.errors import ExitCode, RelayError, SettingsError, StoppedForSafety, Unavailable
from config.migrations.apply import LOCK_KEY, migrate
from config.migrations.check import check_database, pending, require_current, version
from config.migrations.files import Migration, migrations, read
from tests.eventually import PATIENCE_S, eventually
from tests.proxy import Proxy

pytestmark = pytest.mark.integration
OTHERS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
SLEEPING = f"SELECT 1 {OTHERS} AND wait_event = 'PgSleep'".encode()
KILL_OTHERS = f"SELECT pg_terminate_backend(pid) {OTHERS}".encode()


@pytest.fixture
def empty(services: EmbeddedServices) -> Iterator[str]:
    """A new database without a table."""
    name = sql.Identifier(f"migrations-{uuid.uuid4()}")
    with psycopg.connect(services.addresses.database_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(name))
        yield make_conninfo(services.addresses.database_url, dbname=name.as_string().strip('"'))
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def files(**sql_by_name: str) -> list[Migration]:
    """Migrations that a test makes up; an `m` stands before each number."""
    return [read(f"{name.removeprefix('m')}.sql", text) for name, text in sql_by_name.items()]


def one(url: str, query: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(query.encode()).fetchone()
    return None if row is None else row[0]


def alone(url: str, statement: str) -> None:
    """Run a statement that can't be in a transaction."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


def test_all_are_applied_once_in_order(empty: str) -> None:
    names = [migration.name for migration in migrations()]
    assert migrate(empty) == names
    assert migrate(empty) == []
    check_database(empty)
    with psycopg.connect(empty) as connection:
        assert version(connection) == len(names)
        assert pending(connection, migrations()) == []


def test_several_at_once_apply_each_file_once(empty: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(migrate, [empty] * 4))
    assert sorted(map(len, results)) == [0, 0, 0, len(migrations())]
    assert one(empty, "SELECT count(*) FROM alembic_version") == 1


def test_sql_is_run_as_it_is_written(empty: str) -> None:
    text = "CREATE TABLE t (v text); INSERT INTO t VALUES ('100% :name %s {x}'); -- 'a;b'"
    assert migrate(empty, known=files(m0001_a=text)) == ["0001_a"]
    assert one(empty, "SELECT v FROM t") == "100% :name %s {x}"


def test_a_file_that_fails_is_undone_whole_and_those_before_it_stay(empty: str) -> None:
    first = "CREATE TABLE a (id int PRIMARY KEY);"
    wrong = "CREATE TABLE b (); INSERT INTO a VALUES (4711), (4711);"
    with pytest.raises(RelayError, match=r"migration 0002_b: duplicate key") as caught:
        migrate(empty, known=files(m0001_a=first, m0002_b=wrong))
    assert caught.value.exit_code == ExitCode.FAILED
    assert "4711" not in str(caught.value)
    assert one(empty, "SELECT to_regclass('b')") is None
    assert migrate(empty, known=files(m0001_a=first, m0002_b="CREATE TABLE b ();")) == ["0002_b"]


def test_concurrent_indexes_are_built_while_others_wait_for_the_lock(empty: str) -> None:
    """With a blocking lock this would be a deadlock: the index waits for the waiting sessions."""
    known = files(
        m0001_a="CREATE TABLE a AS SELECT generate_series(1, 50000) AS v;",
        m0002_b="-- no transaction\nCREATE INDEX CONCURRENTLY a_v ON a (v);",
        m0003_c="CREATE TABLE c ();",
    )
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda _: migrate(empty, known=known), range(3)))
    assert sorted(map(len, results)) == [0, 0, 3]
    assert one(empty, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'a_v'::regclass") is True


def test_an_index_that_could_not_be_built_is_built_anew(empty: str) -> None:
    known = files(
        m0001_a="CREATE TABLE a AS SELECT unnest(ARRAY[1, 1]) AS v;",
        m0002_b="-- no transaction\n-- Why.\nCREATE UNIQUE INDEX CONCURRENTLY a_v ON a (v);",
    )
    with pytest.raises(RelayError, match=r"migration 0002_b: could not create unique index"):
        migrate(empty, known=known)
    with psycopg.connect(empty) as other:
        other.execute("DELETE FROM a WHERE ctid = '(0,1)'")
    assert migrate(empty, known=known) == ["0002_b"]
    assert one(empty, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'a_v'::regclass") is True


def test_an_index_that_a_killed_migration_goes_on_building_is_waited_for(empty: str) -> None:
    """Method: the very statement, by somebody who notes nothing, held up by an old snapshot."""
    build = "CREATE INDEX CONCURRENTLY a_v ON a (v)"
    known = files(m0001_a="CREATE TABLE a (v int);", m0002_b=f"-- no transaction\n{build};")
    migrate(empty, known=known[:1])
    with psycopg.connect(empty) as report, ThreadPoolExecutor(2) as pool:
        report.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        report.execute("SELECT")
        orphan = pool.submit(alone, empty, build)
        eventually(lambda: one(empty, "SELECT to_regclass('a_v')") is not None)
        migration = pool.submit(migrate, empty, known=known)
        with pytest.raises(TimeoutError):
            migration.result(1)
        report.rollback()
        orphan.result(PATIENCE_S)
        assert migration.result(PATIENCE_S) == ["0002_b"]
    assert one(empty, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'a_v'::regclass") is True


def test_an_index_that_is_done_at_the_instant_it_would_be_dropped_is_kept(empty: str) -> None:
    """Method: the builder's last transaction, which nobody can see from outside, by somebody else."""
    build = "CREATE INDEX CONCURRENTLY a_v ON a (v)"
    known = files(m0001_a="CREATE TABLE a (v int);", m0002_b=f"-- no transaction\n{build};")
    migrate(empty, known=known[:1])
    alone(empty, build)
    alone(empty, "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'a_v'::regclass")
    built = one(empty, "SELECT 'a_v'::regclass::oid")
    with psycopg.connect(empty) as builder, ThreadPoolExecutor(1) as pool:
        builder.execute("UPDATE pg_index SET indisvalid = true WHERE indexrelid = 'a_v'::regclass")
        migration = pool.submit(migrate, empty, known=known)
        eventually(lambda: one(empty, f"SELECT 1 {OTHERS} AND wait_event_type = 'Lock'"))
        builder.commit()
        assert migration.result() == ["0002_b"]
    assert one(empty, "SELECT 'a_v'::regclass::oid") == built
    assert one(empty, "SELECT indisvalid FROM pg_index WHERE indexrelid = 'a_v'::regclass") is True


def test_an_index_waits_for_an_old_snapshot_as_long_as_it_takes(empty: str) -> None:
    """And the table's time-out is there again for the next file."""
    known = files(
        m0001_a="CREATE TABLE a (v int); CREATE TABLE c ();",
        m0002_b="-- no transaction\nCREATE INDEX CONCURRENTLY a_v ON a (v);",
        m0003_c="ALTER TABLE c ADD v int;",
    )
    migrate(empty, known=known[:1])
    with psycopg.connect(empty) as user, psycopg.connect(empty) as report, ThreadPoolExecutor(1) as pool:
        user.execute("SELECT FROM c")
        report.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        report.execute("SELECT")
        migration = pool.submit(migrate, empty, known=known, table_within_s=0.1)
        with pytest.raises(TimeoutError):
            migration.result(1)
        report.rollback()
        with pytest.raises(Unavailable, match="0003_c: a table that it changes is in use"):
            migration.result(PATIENCE_S)
    assert migrate(empty, known=known) == ["0003_c"]


def test_who_waits_too_long_for_another_gives_up(empty: str) -> None:
    with psycopg.connect(empty, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", (LOCK_KEY,))
        with pytest.raises(Unavailable, match="another process has been migrating"):
            migrate(empty, lock_within_s=0.3)
    assert len(migrate(empty)) == len(migrations())


def test_a_migration_whose_sessions_die_leaves_no_lock_and_nothing_half_done(empty: str) -> None:
    asleep = files(m0001_a="CREATE TABLE half (); SELECT pg_sleep(60);")
    with ThreadPoolExecutor(1) as pool, psycopg.connect(empty, autocommit=True) as other:
        migration = pool.submit(migrate, empty, known=asleep)
        deadline_s = time.monotonic() + 10
        while not other.execute(SLEEPING).fetchone():
            assert time.monotonic() < deadline_s
            assert not migration.done()
        other.execute(KILL_OTHERS)
        with pytest.raises(Unavailable, match="migration"):
            migration.result(PATIENCE_S)
    assert one(empty, "SELECT to_regclass('half')") is None
    assert migrate(empty, known=files(m0001_a="CREATE TABLE a ();"), lock_within_s=5) == ["0001_a"]


def test_a_table_in_use_is_not_waited_for_long(empty: str) -> None:
    known = files(m0001_a="CREATE TABLE a ();", m0002_b="ALTER TABLE a ADD b int;")
    migrate(empty, known=known[:1])
    with psycopg.connect(empty) as user:
        user.execute("SELECT * FROM a")
        with pytest.raises(Unavailable, match="0002_b: a table that it changes is in use"):
            migrate(empty, known=known, table_within_s=0.1)
    assert migrate(empty, known=known) == ["0002_b"]


def test_before_a_deploy_what_breaks_old_roles_waits(empty: str) -> None:
    known = files(m0001_a="SELECT", m0002_b_after_deploy="SELECT", m0003_c="SELECT")
    assert migrate(empty, known=known, before_deploy_only=True) == ["0001_a"]
    assert migrate(empty, known=known) == ["0002_b_after_deploy", "0003_c"]


def test_a_role_refuses_a_database_that_lacks_what_it_needs(empty: str) -> None:
    with pytest.raises(SettingsError, match="is at migration 0000, this version needs"):
        check_database(empty)


def test_a_role_does_not_wait_for_what_comes_after_the_deploy(empty: str) -> None:
    migrate(empty)
    later = read("9000_x_after_deploy.sql", "")
    needed = read("9000_x.sql", "")
    with psycopg.connect(empty) as connection:
        require_current(connection, [*migrations(), later])
        with pytest.raises(SettingsError, match="needs 9000"):
            require_current(connection, [*migrations(), needed])


def test_a_newer_database_is_fine_until_it_says_otherwise(empty: str) -> None:
    migrate(empty)
    with psycopg.connect(empty, autocommit=True) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9000'")
        check_database(empty)
        assert migrate(empty) == []
        connection.execute("UPDATE schema_minimum SET min_version = 8999")
        with pytest.raises(StoppedForSafety, match="admits only software that knows migration 8999"):
            check_database(empty)


def test_a_connection_that_breaks_anywhere_is_a_database_that_cannot_be_reached(empty: str) -> None:
    migrate(empty)
    told, answered = conninfo_to_dict(empty), Counter[str]()
    with Proxy(str(told["host"]), int(str(told["port"]))) as proxy:
        url = make_conninfo(empty, host="127.0.0.1", port=proxy.port)
        for after_bytes in range(100, 1_500, 50):
            proxy.cut("back", after_bytes)
            try:
                check_database(url)
                answered["suits"] += 1
            except Unavailable:
                answered["away"] += 1
            proxy.heal()
    assert set(answered) == {"suits", "away"}


@pytest.mark.parametrize(
    "url", ["postgresql://u:hunter2@127.0.0.1:1/x", "host=127.0.0.1 port=1 password=hunter2"]
)
def test_an_absent_database_is_unavailable_and_no_password_is_told(url: str) -> None:
    for ask in (check_database, migrate):
        with pytest.raises(Unavailable, match="Postgres can't be reached") as caught:
            ask(url)
        assert "hunter2" not in str(caught.value)


def command(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "session_relay.cli", "migrate", *arguments],
        env={"DATABASE_URL": url, "PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_only_lists_until_it_is_told_to(empty: str) -> None:
    names = [migration.name for migration in migrations()]
    dry = command(empty)
    assert re.findall(r"^pending (\S+)$", dry.stdout, re.MULTILINE) == names
    assert f"Not done: {len(names)} to apply with --execute." in dry.stdout
    done = command(empty, "--execute")
    assert re.findall(r"^applied (\S+)$", done.stdout, re.MULTILINE) == names
    assert "Nothing to do" in command(empty).stdout
    assert "Nothing to do" in command(empty, "--execute").stdout


def test_the_command_says_what_is_missing_or_away() -> None:
    assert command("").returncode == ExitCode.USAGE
    away = command("postgresql://127.0.0.1:1/x")
    assert away.returncode == ExitCode.UNREACHABLE
    assert "Traceback" not in away.stderr
