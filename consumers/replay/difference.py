"""What a rebuilt table and the live one differ in, within the transaction that the connection is in."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from psycopg import Connection, sql

from consumers import statements

_KEY = ("tenant", "source", "session_id")
_OWN = ("created_at", "updated_at")
"""Of a table, not of what it says."""


class Difference(NamedTuple):
    """Counts, and some examples by their keys."""

    only_in_log: int
    only_in_table: int
    differing: int
    columns: Mapping[str, int]
    """How many rows differ in each column."""
    turned_back: int
    """Of those that differ, how many a swap would replace by a state that loses against theirs."""
    examples: Sequence[Mapping[str, Any]]


def difference(
    connection: Connection[Any],
    names: Mapping[str, sql.Identifier],
    live: str,
    *,
    whole: bool,
    most: int,
    show_values: bool,
) -> Difference:
    """Compare row by row.

    Args:
        connection: In a transaction whose snapshot sees both tables at the same offsets.
        names: The schemas, as the shadow tells them.
        live: The live table's schema.
        whole: Whether the log has all that the live table was made of; else the ids of events that a row
            remembers can't be the same.
        most: Examples of each kind at most.
        show_values: Whether examples have values, about people, beside the names of columns.
    """
    found = connection.execute(statements.READ_COLUMNS, {"schema": live}).fetchall()
    left_out = {*_KEY, *_OWN, *(() if whole else ("applied_event_ids",))}
    columns = [name for (name,) in found if name not in left_out]
    connection.execute(statements.FIND_DIFFERENCE.format(**names, **_of(columns)))
    kinds = dict(connection.execute(statements.COUNT_DIFFERENCE).fetchall())
    by_column = dict(connection.execute(statements.COUNT_DIFFERING_COLUMNS).fetchall())
    turned_back = connection.execute(statements.COUNT_TURNED_BACK).fetchone()
    wanted = {"most": most, "show_values": show_values}
    rows = connection.execute(statements.SHOW_DIFFERENCE.format(**names), wanted).fetchall()
    connection.execute("DROP TABLE pg_temp.difference")
    return Difference(
        only_in_log=kinds.get("only_in_log", 0),
        only_in_table=kinds.get("only_in_table", 0),
        differing=kinds.get("differing", 0),
        columns=by_column,
        turned_back=int(turned_back[0]) if turned_back else 0,
        examples=[_example(*row) for row in rows],
    )


def _of(columns: Sequence[str]) -> dict[str, sql.Composable]:
    def side(of: str) -> sql.Composable:
        return sql.SQL(", ").join([sql.Identifier(of, name) for name in columns])

    case = sql.SQL("CASE WHEN {} IS DISTINCT FROM {} THEN {} END")
    cases = [
        case.format(sql.Identifier("l", name), sql.Identifier("s", name), sql.Literal(name))
        for name in columns
    ]
    return {
        "of_live": side("l"),
        "of_shadow": side("s"),
        "cases": sql.SQL(", ").join(cases),
        "order_of_live": statements.state_order("l"),
        "order_of_shadow": statements.state_order("s"),
    }


def _example(
    kind: str,
    tenant: str,
    source: str,
    session_id: str,
    columns: Sequence[str],
    table: Mapping[str, Any] | None,
    log: Mapping[str, Any] | None,
) -> Mapping[str, Any]:
    told: dict[str, Any] = {
        "kind": kind,
        "tenant": tenant,
        "source": source,
        "session_id": session_id,
        "columns": list(columns),
    }
    for name, values in (("table", table), ("log", log)):
        if values is not None:
            told[name] = {column: values[column] for column in columns or values}
    return told
