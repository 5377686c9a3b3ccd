"""Alembic at work on plain SQL: each file becomes one of its revisions, run and noted in one transaction."""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any, Final, LiteralString, cast

import psycopg
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext, MigrationStep, RevisionStep
from alembic.script import Script
from alembic.script.revision import RevisionMap
from psycopg import sql
from sqlalchemy import NullPool, create_engine
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DBAPIError

from config.errors import RelayError, Unavailable
from config.migrations.files import Migration

_INDEX: Final = re.compile(r"^\s*CREATE (?:UNIQUE )?INDEX CONCURRENTLY (?P<name>[a-z0-9_]+)", re.MULTILINE)
_BEING_BUILT: Final[LiteralString] = (
    "SELECT FROM pg_stat_progress_create_index WHERE index_relid = to_regclass(%(name)s)"
)
_LEFT: Final[LiteralString] = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(%(name)s)"
_POLL_S: Final = 0.2


def run(
    database_url: str,
    known: Sequence[Migration],
    todo: Sequence[Migration],
    *,
    lock: psycopg.Connection[Any],
    table_within_s: float,
) -> None:
    """Apply `todo`, which follows in `known` on what the database has.

    Args:
        database_url: The database.
        known: All migrations, from the first.
        todo: Those to apply.
        lock: The session that holds the advisory lock; nothing more is run once it has died.
        table_within_s: How long to wait for a table that roles are using.

    Raises:
        Unavailable: Postgres goes away, or a table stays in use; the file under way is undone.
        RelayError: Postgres refuses a statement; its file is undone.
    """
    engine = create_engine(
        "postgresql+psycopg://", creator=lambda: psycopg.connect(database_url), poolclass=NullPool
    )
    try:
        with engine.connect() as connection:
            _driver(connection).execute(f"SET lock_timeout = {round(table_within_s * 1000)}")
            connection.commit()
            _upgrade(connection, known, todo, lock)
    except DBAPIError as error:  # of alembic's own statements: its note, the commit
        if error.connection_invalidated:
            raise Unavailable("Postgres went away during a migration") from error
        raise RelayError(f"Postgres refuses alembic's own table: {type(error.orig).__name__}") from error


def _upgrade(
    connection: Connection,
    known: Sequence[Migration],
    todo: Sequence[Migration],
    lock: psycopg.Connection[Any],
) -> None:
    def upgrade(migration: Migration) -> None:
        _execute(migration, context, lock)

    def steps(_heads: object, _context: MigrationContext) -> list[RevisionStep]:
        scripts = [cast("Script", revisions.get_revision(migration.revision)) for migration in todo]
        return [MigrationStep.upgrade_from_script(revisions, script) for script in scripts]

    revisions = RevisionMap(lambda: _scripts(known, upgrade))
    context = MigrationContext.configure(connection, opts={"fn": steps, "transaction_per_migration": True})
    with Operations.context(context):
        context.run_migrations()


def _scripts(known: Sequence[Migration], upgrade: Callable[[Migration], None]) -> Iterator[Script]:
    """Each file as what alembic takes for one: a module with `upgrade`, and the revision before it."""
    previous: str | None = None
    for migration in known:
        module = ModuleType(migration.name, migration.name)
        vars(module).update(
            revision=migration.revision,
            down_revision=previous,
            upgrade=lambda migration=migration: upgrade(migration),
        )
        yield Script(module, migration.revision, f"{migration.name}.sql")
        previous = migration.revision


def _execute(migration: Migration, context: MigrationContext, lock: psycopg.Connection[Any]) -> None:
    try:
        lock.execute("SELECT")  # fails if its session has died: then another process may be at work
        if migration.in_transaction:
            _driver(context.connection).execute(migration.sql.encode())
        else:
            with context.autocommit_block():
                _build(_driver(context.connection), migration.sql)
    except psycopg.errors.LockNotAvailable:
        raise Unavailable(
            f"migration {migration.name}: a table that it changes is in use; it was undone, try again"
        ) from None
    except psycopg.Error as error:
        reason = error.diag.message_primary or type(error).__name__  # the message's other lines quote rows
        away = isinstance(error, psycopg.OperationalError) and (error.sqlstate or "57P")[:3] in {"57P", "080"}
        raise (Unavailable if away else RelayError)(f"migration {migration.name}: {reason}") from error


def _build(connection: psycopg.Connection[Any], statement: str) -> None:
    """Run a statement that can't be in a transaction, nearly always to build an index while others write.

    It waits for every older snapshot, which may take an hour, and nobody but another migration waits behind
    it: so without a limit. A process that was killed leaves a server that goes on building: its index is
    waited for. What a failure has left is kept up to date and not used (PostgreSQL manual, "Building Indexes
    Concurrently").
    """
    before = connection.execute("SELECT current_setting('lock_timeout')").fetchone()
    connection.execute("SET lock_timeout = 0")
    index = _INDEX.search(statement)
    if index is None or not _is_there(connection, index["name"]):
        connection.execute(statement.encode())
    connection.execute("SELECT set_config('lock_timeout', %s, false)", before)


def _is_there(connection: psycopg.Connection[Any], name: str) -> bool:
    """Whether an index is there and valid, once nobody builds it; an invalid one is dropped.

    Who builds it says so no more when the last transaction, which makes it valid, is still to be committed
    (PostgreSQL's DefineIndex): dropping it waits for that and fails.
    """
    named = {"name": name}
    while connection.execute(_BEING_BUILT, named).fetchone() is not None:
        time.sleep(_POLL_S)
    if connection.execute(_LEFT, named).fetchone() == (False,):
        try:
            connection.execute(sql.SQL("DROP INDEX CONCURRENTLY {}").format(sql.Identifier(name)))
        except psycopg.errors.InternalError_:  # "tuple concurrently updated"
            if connection.execute(_LEFT, named).fetchone() != (True,):
                raise
    return connection.execute(_LEFT, named).fetchone() == (True,)


def _driver(connection: Connection | None) -> psycopg.Connection[Any]:
    """The driver's own connection: SQLAlchemy's would take `%` and `:name` in the SQL for parameters."""
    if connection is None:
        raise TypeError("alembic runs without a connection")
    return cast("psycopg.Connection[Any]", connection.connection.driver_connection)
