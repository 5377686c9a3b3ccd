"""Whether a database suits this version of the software, asked by each role before it starts."""

from collections.abc import Sequence
from typing import Any

import psycopg

from config.errors import SettingsError, StoppedForSafety, Unavailable
from config.migrations.files import Migration, migrations
from config.redaction import redact_text

CONNECT_TIMEOUT_S = 5
_VERSION = "SELECT max(version_num::integer) FROM alembic_version"


def version(connection: psycopg.Connection[Any]) -> int:
    """The number of the newest migration that this database has; 0 for an empty one."""
    if _one(connection, "SELECT to_regclass('alembic_version')") is None:
        return 0
    return int(_one(connection, _VERSION) or 0)


def pending(connection: psycopg.Connection[Any], known: Sequence[Migration]) -> list[Migration]:
    """Those of the known migrations that the database lacks; none where it is newer than the software."""
    applied = version(connection)
    return [migration for migration in known if migration.number > applied]


def require_current(connection: psycopg.Connection[Any], known: Sequence[Migration]) -> None:
    """Refuse a database that this version can't work with; a newer one that still admits it is fine.

    Args:
        connection: To the database that is asked.
        known: The migrations of this version.

    Raises:
        SettingsError: The database lacks a migration that this version needs.
        StoppedForSafety: The database admits only newer software.
    """
    needed = max((migration.number for migration in known if not migration.after_deploy), default=0)
    newest = max((migration.number for migration in known), default=0)
    found = version(connection)
    if found < needed:
        raise SettingsError(
            f"the database is at migration {found:04}, this version needs {needed:04}: "
            "run `session-relay migrate --execute`"
        )
    minimum = int(_one(connection, "SELECT min_version FROM schema_minimum") or 0)
    if minimum > newest:
        raise StoppedForSafety(
            f"the database admits only software that knows migration {minimum:04}, this version ends "
            f"with {newest:04}: use a newer version"
        )


def check_database(url: str) -> None:
    """Connect, and refuse a database that this version can't work with.

    Raises:
        Unavailable: It can't be reached.
        SettingsError: It lacks a migration that this version needs.
        StoppedForSafety: It admits only newer software.
    """
    with connect(url) as connection:
        try:
            require_current(connection, migrations())
        except psycopg.OperationalError as error:
            raise _unreachable(error) from None


def connect(url: str) -> psycopg.Connection[Any]:
    """Open a connection that commits each statement by itself.

    Raises:
        Unavailable: It can't be reached, or lets us not in; the message names no password.
    """
    try:
        return psycopg.connect(url, autocommit=True, connect_timeout=CONNECT_TIMEOUT_S)
    except psycopg.OperationalError as error:
        raise _unreachable(error) from None


def _unreachable(error: psycopg.OperationalError) -> Unavailable:
    return Unavailable(f"Postgres can't be reached: {redact_text(str(error))}")


def _one(connection: psycopg.Connection[Any], query: Any) -> Any:
    row = connection.execute(query).fetchone()
    return None if row is None else row[0]
