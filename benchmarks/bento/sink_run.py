"""Bento as a sink: from the start of its process to the last row of a topic that was filled beforehand."""

import time
from itertools import count as numbers
from pathlib import Path
from typing import Any, Final, NamedTuple

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

import schemas
from benchmarks.bento.program import running
from benchmarks.plain import COLUMNS
from benchmarks.sink import SinkRun
from benchmarks.stand import Place, Stand, Usage
from config.embedded.processes import Child
from config.errors import RelayError, Unavailable
from schemas.versions import LATEST

TABLE: Final = "bento_sessions"
_SCHEMA: Final = Path(schemas.__file__).with_name("session_event") / f"{LATEST.number}.avsc"
_LOOK_S: Final = (0.02, 0.25)
"""Between two looks, at least and at most: counting rows is work for Postgres, so few while many are left."""
_STALLED_S: Final = 60.0
_COUNT: Final = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(TABLE))
_ALIKE: Final = tuple(name for name in COLUMNS if name != "kafka_topic_id")
"""What both write alike; Bento knows no topic's id."""
_DIFFERENT: Final = sql.SQL(
    "SELECT count(*) FROM (SELECT {names} FROM sessions EXCEPT ALL SELECT {names} FROM {table}) AS different"
).format(names=sql.SQL(", ").join(map(sql.Identifier, _ALIKE)), table=sql.Identifier(TABLE))
_groups = numbers(1)


class Settings(NamedTuple):
    """What is chosen of Bento's settings by measuring."""

    batch: int
    """Records of one batch, of one partition."""
    in_flight: int
    """Batches that are written at once, each over a connection of its own."""


def prepare(database_url: str) -> None:
    """Make Bento's table, of the sink's columns, key and indexes."""
    create = sql.SQL("CREATE TABLE {} (LIKE sessions INCLUDING ALL)").format(sql.Identifier(TABLE))
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(create)


def run_bento(stand: Stand, place: Place, count: int, settings: Settings) -> SinkRun:
    """Start Bento in a new group, wait for the last row, end it.

    Args:
        stand: Where.
        place: The topic, and Bento's table, empty.
        count: Events of the topic, each of a session of its own.
        settings: Those that are not in `sink.yaml`.

    Raises:
        RelayError: Bento ended, or its table holds more or fewer rows than there are events.
        Unavailable: Nothing moved for a minute.
    """
    told = {
        "KAFKA": place.kafka.bootstrap_servers,
        "TOPIC": place.kafka.events_topic,
        "GROUP": f"bench-bento-{next(_groups)}",
        "DSN": _url(place.database_url),
        "SCHEMA": _SCHEMA,
        "BATCH": settings.batch,
        "IN_FLIGHT": settings.in_flight,
    }
    with psycopg.connect(place.database_url, autocommit=True) as connection:
        begun_s = time.perf_counter()
        with running(stand, "sink", told) as child:
            usage = Usage(child.process.pid)
            first_s, first_rows = _wait(connection, child, 1, begun_s)
            last_s, _ = _wait(connection, child, count, begun_s)
            cpu_s, peak_mib = usage.cpu_s(), usage.peak_mib()
        if (found := _rows(connection)) != count:
            raise RelayError(f"{TABLE} holds {found} rows, not {count}.")
    return SinkRun(count, last_s, first_s, first_rows, cpu_s, peak_mib, {})


def compare(database_url: str) -> None:
    """Hold the rows of both tables together.

    Raises:
        RelayError: A row differs, so both did not do the same work.
    """
    with psycopg.connect(database_url, autocommit=True) as connection:
        row = connection.execute(_DIFFERENT).fetchone()
    if row is None or row[0]:
        raise RelayError(f"{row and row[0]} rows of sessions are not the same in {TABLE}.")


def _url(database_url: str) -> str:
    """The database as the driver of Bento wants it named."""
    parts = conninfo_to_dict(database_url)
    secret = f":{parts['password']}" if parts.get("password") else ""
    at = f"{parts['user']}{secret}@{parts['host']}:{parts['port']}"
    return f"postgres://{at}/{parts['dbname']}?sslmode=disable"


def _rows(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute(_COUNT).fetchone()
    return int(row[0]) if row else 0


def _wait(connection: psycopg.Connection[Any], child: Child, rows: int, begun_s: float) -> tuple[float, int]:
    """Wait until the table holds so many rows; when that was seen, and how many they were then."""
    before, waiting_s = 0, time.perf_counter()
    moved_s = waiting_s
    while True:
        found = _rows(connection)
        now_s = time.perf_counter()
        if found >= rows:
            return now_s - begun_s, found
        if child.process.poll() is not None:
            raise child.failure()
        if found != before:
            before, moved_s = found, now_s
        elif now_s - moved_s > _STALLED_S:
            raise Unavailable(f"Bento stands at {found} of {rows} rows; see {child.launch.log}.")
        shortest_s, longest_s = _LOOK_S
        left_s = (rows - found) * (now_s - waiting_s) / found if found else 0.0
        time.sleep(min(max(left_s / 2, shortest_s), longest_s))
