"""A table beside the live one, in a schema of its own, into which the log is folded.

Connections to it have that schema first in their search path: the sink's own statements then mean it and
its own `consumer_offsets`, so that rows and progress move together here too, and the rule stays one.
"""

from collections.abc import Mapping
from typing import Any, Final

from psycopg import Connection, sql
from psycopg_pool import ConnectionPool

from config.errors import RelayError
from config.sections import DbSettings
from consumers import statements
from consumers.fates import postgres_errors
from consumers.pool import database_url, prepare
from consumers.replay.held import Held

TIMEOUTS: Final = {"statement_ms": "0", "lock_ms": "10000", "idle_ms": "0"}
"""Nobody waits for the shadow's locks, and its index may take long."""


class Shadow:
    """The table of one rebuild.

    Args:
        db: Where the database is.
        number: The replay's.
    """

    def __init__(self, db: DbSettings, number: int) -> None:
        self._db = db
        self.schema = f"rebuild_{number}"
        self.former = f"replaced_{number}"
        """Schema that the live table goes to when it is replaced."""

    def names(self, live: str) -> Mapping[str, sql.Identifier]:
        """The schemas, for statements that name both tables."""
        return {
            "shadow": sql.Identifier(self.schema),
            "live": sql.Identifier(live),
            "former": sql.Identifier(self.former),
        }

    def exists(self, connection: Connection[Any]) -> bool:
        """Whether it was made, and not yet swapped or dropped."""
        with postgres_errors():
            return _is_there(connection, self.schema, "sessions")

    def create(self, connection: Connection[Any], live: str, held: Held, group: str) -> int:
        """Make it in one transaction, with the live rows that the log can't give; returns how many.

        What comes of the log's first offset is noted before the live rows are read: whatever retention
        takes later is found missing. They stay as they are; the live table's triggers before rows are made
        after them, so that what is folded is refused or altered as it was for the sinks.
        """
        wanted = {
            **beyond(held),
            "partitions": list(held.first),
            "firsts": list(held.first.values()),
            "group": group,
            "topic": held.topic,
        }
        with postgres_errors(), connection.transaction():
            connection.execute(statements.CREATE_SHADOW.format(**self.names(live)))
            for name, definition in _constraints(connection, live):
                add = sql.SQL("ALTER TABLE {}.sessions ADD CONSTRAINT {} {}")
                names = sql.Identifier(self.schema), sql.Identifier(name), sql.SQL(definition)
                connection.execute(add.format(*names))
            connection.execute(statements.INSERT_SPANS.format(**self.names(live)), wanted)
            connection.execute(statements.SEED_OFFSETS.format(**self.names(live)), wanted)
            seeds = connection.execute(statements.SEED_SHADOW.format(**self.names(live)), wanted).rowcount
            triggers = connection.execute(statements.READ_ROW_TRIGGERS, {"schema": live}).fetchall()
            for (definition,) in triggers:
                self._execute(connection, definition)
        return seeds

    def check(self, connection: Connection[Any], live: str, held: Held, group: str) -> None:
        """Refuse to go on if something can't be read any more that could when it was made.

        Raises:
            RelayError: The rows that came of it were not copied then.
        """
        wanted = {"group": group, "topic": held.topic}
        with postgres_errors():
            former = connection.execute(statements.READ_SPANS.format(**self.names(live)), wanted).fetchall()
        for number, at, behind in former:
            if (lost := held.lost(number, at, behind)) is not None:
                raise RelayError(
                    f"what comes next can't be read any more, partition {number} from offset {lost} on: "
                    "cancel the rebuild, and begin anew"
                )

    def add_indexes(self, connection: Connection[Any], live: str) -> None:
        """Make the live table's other indexes, under their own names; those that are there stay."""
        with postgres_errors():
            found = connection.execute(statements.READ_INDEXES, {"schema": live}).fetchall()
            for name, definition in found:
                if not _is_there(connection, self.schema, name):
                    self._execute(connection, definition)

    def _execute(self, connection: Connection[Any], definition: Any) -> None:
        """Do what was read of the live table to this one: no schema is told for it."""
        with connection.transaction():
            row = connection.execute("SELECT current_setting('search_path')").fetchone()
            former = row[0] if row else ""
            connection.execute(_SEARCH_PATH, {"path": f'"{self.schema}", {former}'})
            connection.execute(sql.SQL(definition))
            connection.execute(_SEARCH_PATH, {"path": former})  # there may be a transaction around this one

    def keep_created(self, connection: Connection[Any], live: str, since: Any) -> None:
        """Give rows the time at which the live ones came, past all triggers.

        Args:
            connection: Whose transaction it is part of, if there is one.
            live: The live table's schema.
            since: When that was done last; None to look at all.
        """
        table = sql.SQL("ALTER TABLE {}.sessions").format(sql.Identifier(self.schema))
        with connection.transaction():
            connection.execute(table + sql.SQL(" DISABLE TRIGGER USER"))
            connection.execute(statements.KEEP_CREATED.format(**self.names(live)), {"since": since})
            connection.execute(table + sql.SQL(" ENABLE TRIGGER USER"))

    def drop(self, connection: Connection[Any]) -> None:
        """Remove it with all that is in it."""
        with postgres_errors():
            connection.execute(
                sql.SQL("DROP SCHEMA IF EXISTS {} CASCADE").format(sql.Identifier(self.schema))
            )

    def pool(self) -> ConnectionPool:
        """Connections to which `sessions` and `consumer_offsets` mean the shadow's."""

        def configure(connection: Connection[Any]) -> None:
            connection.execute(statements.ENTER_SHADOW, {"schema": f'"{self.schema}"'})
            prepare(connection)

        return ConnectionPool(
            database_url(self._db),
            kwargs={
                "connect_timeout": self._db.connect_timeout_s,
                "application_name": "session-relay rebuild",
                "keepalives_idle": 10,
                "tcp_user_timeout": 30_000,
            },
            min_size=1,
            max_size=2,
            timeout=self._db.pool_timeout_s,
            configure=configure,
            open=True,
            name="rebuild",
        )


_SEARCH_PATH: Final = "SELECT set_config('search_path', %(path)s, true)"


def beyond(held: Held) -> dict[str, Any]:
    """What can be read, for the statements that look for live rows of elsewhere."""
    partitions, begins, ends = (list(column) for column in zip(*held.covered(), strict=True))
    return {"topic_id": held.topic_id, "held": partitions, "begins": begins, "ends": ends}


def _is_there(connection: Connection[Any], schema: str, name: str) -> bool:
    row = connection.execute(statements.FIND_TABLE, {"schema": schema, "name": name}).fetchone()
    return row is not None and row[0] is not None


def _constraints(connection: Connection[Any], live: str) -> list[tuple[str, Any]]:
    return connection.execute(statements.READ_CONSTRAINTS, {"schema": live}).fetchall()


def live_schema(connection: Connection[Any]) -> str:
    """The schema that the live table is in."""
    with postgres_errors():
        row = connection.execute(statements.FIND_LIVE).fetchone()
    if row is None:
        raise RelayError("there is no table sessions")
    return str(row[0])
