"""What Postgres alone can do with the same rows: one connection, batches from memory, nothing else."""

import time
from collections.abc import Sequence
from typing import Any, Final

import psycopg
from psycopg import sql

from benchmarks import plain
from benchmarks.blocks import Block
from config.errors import RelayError
from consumers import statements

_TABLES: Final = ("sessions", "consumer_offsets", "plain_sessions")
_NOT_FOLDED: Final = {"folded": False}


def prepare(database_url: str) -> None:
    """Make the plain statement's table beside the sink's."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        for statement in plain.CREATE:
            connection.execute(statement)


def empty(database_url: str, *tables: str) -> None:
    """Empty these tables and have everything on disk, so that no round pays for the one before it.

    Args:
        database_url: Where.
        tables: Their names; by default those of the sink and of the plain statement.
    """
    names = sql.SQL(", ").join(map(sql.Identifier, tables or _TABLES))
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(sql.SQL("TRUNCATE {}").format(names))
        connection.execute("CHECKPOINT")


def write_sessions(database_url: str, blocks: Sequence[Block]) -> float:
    """The sink's own COPY and upsert into its own table, and COMMIT, batch after batch.

    Returns:
        Seconds from the first COPY to the last COMMIT.
    """
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(statements.CREATE_STAGE)
        begun_s = time.perf_counter()
        for block in blocks:
            with connection.transaction():
                _copy(connection, statements.COPY_STAGE, block.staged)
                connection.execute(statements.UPSERT_SESSIONS, _NOT_FOLDED)
        taken_s = time.perf_counter() - begun_s
        _check(connection, "sessions", blocks)
        return taken_s


def write_plain(database_url: str, blocks: Sequence[Block]) -> float:
    """The plain statement into its own table, in the same manner.

    Returns:
        Seconds from the first COPY to the last COMMIT.
    """
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(plain.CREATE_STAGE)
        begun_s = time.perf_counter()
        for block in blocks:
            with connection.transaction():
                _copy(connection, plain.COPY, block.plain)
                connection.execute(plain.UPSERT)
        taken_s = time.perf_counter() - begun_s
        _check(connection, "plain_sessions", blocks)
        return taken_s


def _copy(connection: psycopg.Connection[Any], statement: sql.Composed, data: bytes) -> None:
    with connection.cursor().copy(statement) as copy:
        copy.write(data)


def _check(connection: psycopg.Connection[Any], table: str, blocks: Sequence[Block]) -> None:
    query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table))
    found = connection.execute(query).fetchone()
    wanted = sum(block.rows for block in blocks)
    if found is None or found[0] != wanted:
        raise RelayError(f"{table} holds {found and found[0]} rows after the limit's run, not {wanted}.")
