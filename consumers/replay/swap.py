"""The rebuilt table in the live one's place, in one short transaction; sinks go on as if nothing had been.

Locks are taken in the order in which readers and sinks take them: views, table, offsets. While both are
held nobody writes, and the shadow is folded exactly up to the sinks' offsets.
"""

import time
from collections.abc import Callable, Sequence
from random import uniform
from typing import Any, Final

from psycopg import Connection, errors, sql

from config.errors import Poison, StoppedForSafety
from consumers import statements
from consumers.fates import PostgresUnavailable, postgres_errors
from consumers.replay.folding import Told
from consumers.replay.notes import Cancelled, Replay
from consumers.replay.rebuild import CLOSE_AT, Building

WITHIN_S: Final = 120.0
"""So long the locks are tried for."""
_TIMEOUTS: Final = {"statement_ms": "60000", "lock_ms": "400", "idle_ms": "5000"}
"""For locks, shorter than the wait before Postgres looks for a deadlock (1 s): a sink never loses that race
to us. A process that is frozen while it holds them, or waits for Kafka, loses them after the last."""


_SEARCH: Final = "SELECT set_config('search_path', %(path)s, true)"


def refusals(connection: Connection[Any], live: str) -> Sequence[str]:
    """What hangs on the live table and could not be taken along, in Postgres' words."""
    with postgres_errors():
        return [told for (told,) in connection.execute(statements.READ_REFUSALS, {"schema": live})]


def refuse(connection: Connection[Any], live: str) -> None:
    """Refuse a table that can't be replaced without loss.

    Raises:
        StoppedForSafety: Something hangs on it that would stay with the former table.
    """
    if found := refusals(connection, live):
        raise StoppedForSafety(
            f"these hang on the live table and would not be taken along: {', '.join(found)}: "
            "drop them first, and make them again afterwards"
        )


def swap(building: Building, replay: Replay, since: Any, told: Told, phase: Callable[[str], None]) -> None:
    """Replace the live table; retried while others hold it.

    Args:
        building: The shadow, which has caught up.
        replay: Its row in `replays`, which is done in the same transaction.
        since: When rows were last given their `created_at`.
        told: Told how many more were folded.
        phase: Told that it begins.

    Raises:
        PostgresUnavailable: The table was in use all the time; everything is as it was.
        Cancelled: An operator has ended it.
    """
    refuse(building.connection, building.rebuild.live)
    phase("swapping")
    until_s = time.monotonic() + WITHIN_S
    while True:
        building.catch_up(told)
        if _tried(building, replay, since):
            return
        if time.monotonic() > until_s:
            raise PostgresUnavailable(
                f"the table was in use for {WITHIN_S:g} s; the same command tries again"
            )
        building.again()
        time.sleep(uniform(0.05, 0.5))  # noqa: S311 - so that it does not keep step with a sink


def _tried(building: Building, replay: Replay, since: Any) -> bool:
    try:
        with postgres_errors():
            try:
                return swapped(building, replay, since)
            except (errors.LockNotAvailable, errors.DeadlockDetected):
                return False
    except Poison:
        return False  # a record that Postgres rejects: folding outside the transaction sets it aside


def swapped(building: Building, replay: Replay, since: Any) -> bool:
    """One try; False if the sinks have got too far ahead."""
    live = building.rebuild.live
    with building.pool.connection() as connection, connection.transaction():
        connection.execute("SET LOCAL synchronous_commit = on")
        connection.execute(statements.SET_TIMEOUTS, _TIMEOUTS)
        path = connection.execute("SELECT current_setting('search_path')").fetchone()
        connection.execute(_SEARCH, {"path": ""})  # so that names are told in full
        views = connection.execute(statements.READ_VIEWS, {"schema": live}).fetchall()
        triggers = connection.execute(statements.READ_TRIGGERS, {"schema": live}).fetchall()
        for _, name, _ in views:
            connection.execute(sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(sql.SQL(name)))
        connection.execute(_SEARCH, {"path": path[0] if path else ""})
        connection.execute(statements.LOCK_LIVE.format(**building.names))
        if building.remaining(connection) >= CLOSE_AT:
            return False
        building.within(connection)
        building.shadow.keep_created(connection, live, since)
        wanted = {"id": replay.id, "phase": "swapped", "state": "done"}
        wanted |= {"next_offsets": None, "figures": None}
        if not connection.execute(statements.NOTE_REPLAY, wanted).rowcount:
            raise Cancelled(f"replay {replay.id} has ended in the meantime")
        _replace(connection, building, views, [text for (text,) in triggers])
    return True


def _replace(
    connection: Connection[Any],
    building: Building,
    views: Sequence[tuple[Any, ...]],
    triggers: Sequence[Any],
) -> None:
    of = {"schema": building.rebuild.live, "shadow": building.shadow.schema}
    for statement in (statements.READ_SHADOW_TRIGGERS, statements.READ_CARRIED):
        for (text,) in connection.execute(statement, of).fetchall():
            connection.execute(sql.SQL(text))
    connection.execute(statements.REPLACE_TABLE.format(**building.names))
    connection.execute(_SEARCH, {"path": ""})
    for options, name, definition in views:
        connection.execute(sql.SQL(f"CREATE OR REPLACE VIEW {name} {options} AS {definition}"))
    for text in triggers:
        connection.execute(sql.SQL(text))
