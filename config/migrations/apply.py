"""Bring a database to this version, one process at a time, under an advisory lock.

The lock is polled for with `pg_try_advisory_lock`. A session that waits inside `pg_advisory_lock` holds a
snapshot, CREATE INDEX CONCURRENTLY waits for every snapshot to end, and so the two would wait for each
other (PostgreSQL manual, "Building Indexes Concurrently").
"""

import time
from collections.abc import Sequence
from typing import Any, Final

import psycopg

from config.errors import Unavailable
from config.migrations.check import connect, pending
from config.migrations.files import Migration, migrations

LOCK_KEY: Final = 0x5E55_104E_1A7
"""The advisory lock's number: ours alone by choice, as Postgres keeps no names for them."""
LOCK_WITHIN_S: Final = 300.0
POLL_S: Final = 0.2
TABLE_WITHIN_S: Final = 10.0
"""Short, because while a migration waits for a table, the roles wait behind it."""


def migrate(
    database_url: str,
    *,
    known: Sequence[Migration] | None = None,
    before_deploy_only: bool = False,
    lock_within_s: float = LOCK_WITHIN_S,
    table_within_s: float = TABLE_WITHIN_S,
) -> list[str]:
    """Apply what the database lacks; two at once are fine, the second then finds nothing to do.

    Args:
        database_url: The database, which must exist.
        known: The migrations to choose from; those of this version, if left out.
        before_deploy_only: Stop at the first migration that would break roles of the former version.
        lock_within_s: How long to wait for another process that is migrating.
        table_within_s: How long to wait for a table that roles are using.

    Returns:
        Names of the migrations that were applied, in order.

    Raises:
        Unavailable: Postgres can't be reached or goes away, another process holds the lock for too long,
            or roles hold a table for too long; what was applied before stays.
        RelayError: Postgres refuses a statement; its file is undone.
    """
    known = migrations() if known is None else known
    with connect(database_url) as lock:
        _take_lock(lock, lock_within_s)
        todo = to_apply(pending(lock, known), before_deploy_only=before_deploy_only)
        if todo:
            from config.migrations.run import run  # noqa: PLC0415 - alembic takes a second that no role should pay

            run(database_url, known, todo, lock=lock, table_within_s=table_within_s)
    return [migration.name for migration in todo]


def to_apply(lacking: Sequence[Migration], *, before_deploy_only: bool) -> list[Migration]:
    """Those of the lacking migrations that may run now: in order, never past one that has to wait."""
    stop = next((i for i, migration in enumerate(lacking) if migration.after_deploy), len(lacking))
    return list(lacking[:stop] if before_deploy_only else lacking)


def _take_lock(connection: psycopg.Connection[Any], within_s: float) -> None:
    """Take the lock; it ends with its session, however that ends."""
    deadline_s = time.monotonic() + within_s
    while not _try_lock(connection):
        if time.monotonic() > deadline_s:
            raise Unavailable(f"another process has been migrating this database for {within_s:g} s")
        time.sleep(POLL_S)


def _try_lock(connection: psycopg.Connection[Any]) -> bool:
    row = connection.execute("SELECT pg_try_advisory_lock(%s)", (LOCK_KEY,)).fetchone()
    return row is not None and bool(row[0])
