"""Compares the table with the ledger, session by session and column by column."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import psycopg
from psycopg.rows import dict_row

from session_relay.simulate.facts import Facts
from session_relay.simulate.ledger import Entry, Expectation, Key, Ledger

Row = dict[str, Any]

_FIGURES: Final = (
    "time_in_bed",
    "time_in_sleep",
    "time_in_wake",
    "time_in_light",
    "time_in_deep",
    "time_in_rem",
    "sleep_latency",
    "sleep_efficiency",
    "waso_count",
)
"""Figures with a column of their own; the others are in the column `statistics`."""
_SELECT: Final = """
    SELECT source, session_id, user_id, event_id::text AS event_id, type, sequence, occurred_at,
           session_start_time, session_end_time, timezone, utc_offset_seconds, sleep_stages, epoch_seconds,
           time_in_bed, time_in_sleep, time_in_wake, time_in_light, time_in_deep, time_in_rem,
           sleep_latency, sleep_efficiency, waso_count, statistics, attributes
    FROM sessions
    WHERE tenant = %(tenant)s AND (session_id = ANY(%(sessions)s) OR user_id = ANY(%(users)s))
"""


@dataclass(frozen=True, slots=True)
class Difference:
    """One way in which the table is not what the ledger expects; never a value."""

    source: str
    problem: str

    def __str__(self) -> str:
        return f"{self.source}: {self.problem}"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a comparison found.

    Attributes:
        stored: Rows that the table holds of the ledger's sessions and users.
        lost: Sessions whose winning event was acknowledged and is not in the table exactly as expected.
        differences: Everything that is not as it should be, rows nobody sent included.
    """

    stored: int
    lost: int
    differences: tuple[Difference, ...]


def compare(connection: psycopg.Connection[Any], ledger: Ledger, tenant: str) -> Comparison:
    """Read the ledger's sessions and users from the table and hold them against the ledger.

    Raises:
        psycopg.Error: The table could not be read.
    """
    expected = ledger.expected()
    rows = read_rows(connection, ledger, tenant)
    differences = [
        Difference(key[0], "a row of a session that was never sent") for key in rows.keys() - expected
    ]
    lost = 0
    for key, expectation in expected.items():
        problems = judge(rows.get(key), expectation)
        lost += bool(problems) and expectation.certain
        differences += [Difference(key[0], problem) for problem in problems]
    differences += [Difference("relay", problem) for problem in ledger.problems]
    return Comparison(len(rows), lost, tuple(differences))


def read_rows(connection: psycopg.Connection[Any], ledger: Ledger, tenant: str) -> dict[Key, Row]:
    """The rows of every session and user that the ledger knows."""
    sessions = [session_id for _, session_id in ledger.expected()]
    names = {"tenant": tenant, "sessions": sessions, "users": list(ledger.users())}
    with connection.cursor(row_factory=dict_row) as cursor:
        cursor.execute(_SELECT, names)
        return {(row.pop("source"), row.pop("session_id")): row for row in cursor}


def judge(row: Row | None, expectation: Expectation) -> list[str]:
    """Say what is wrong with a row; empty where it is one of the states that may have won."""
    if row is None:
        return ["an acknowledged session has no row"] if expectation.certain else []
    verdicts = [_deviations(row, winner) for winner in expectation.winners]
    # The nearest miss tells most: with several possible winners the others differ in nearly everything.
    return min(verdicts, key=len, default=["a row that nothing explains"])


def _deviations(row: Row, winner: Entry) -> list[str]:
    wanted = expected_row(winner.facts)
    if winner.event_id is not None:
        wanted["event_id"] = winner.event_id
    kind = winner.facts.type
    wrong = [f"{kind}: column {name} differs" for name, value in wanted.items() if row[name] != value]
    if not _contains(row["attributes"], dict(winner.facts.attributes), deleted=kind == "SESSION_DELETED"):
        wrong.append(f"{kind}: column attributes lacks what was sent")
    return wrong


def expected_row(facts: Facts) -> Row:
    """The columns that an event leaves in its session's row, except event_id and attributes.

    A deleted session keeps its key and loses its content.
    """
    deleted = facts.type == "SESSION_DELETED"
    figures = None if facts.statistics is None or deleted else dict(facts.statistics)
    told = figures or {}
    others = {name: value for name, value in told.items() if name not in _FIGURES}
    return {
        "user_id": facts.user_id,
        "type": facts.type,
        "sequence": facts.sequence,
        "occurred_at": facts.occurred_at,
        "session_start_time": None if deleted else facts.start,
        "session_end_time": None if deleted else facts.end,
        "timezone": None if deleted else facts.timezone,
        "utc_offset_seconds": None if deleted else facts.utc_offset_s,
        "sleep_stages": None if deleted else facts.stages,
        "epoch_seconds": facts.epoch_s,
        "statistics": None if figures is None else others,
    } | {name: told.get(name) for name in _FIGURES}


def _contains(attributes: Mapping[str, str] | None, sent: Mapping[str, str], *, deleted: bool) -> bool:
    if deleted:
        return not attributes
    return sent.items() <= (attributes or {}).items()
