"""Operators' access to the table `dead_letters`: which ones are meant, a page of them, one of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from psycopg import Connection
from psycopg.rows import dict_row

from consumers import statements
from consumers.fates import postgres_errors

STATES: Final = ("open", "redriven", "discarded", "skip")
_AT_ONCE: Final = 100
"""Letters that are taken together; each has 5 MiB at most."""


@dataclass(frozen=True, kw_only=True)
class Selection:
    """Which dead letters are meant; None is any."""

    states: Sequence[str] = ("open",)
    ids: Sequence[int] | None = None
    reasons: Sequence[str] | None = None
    sources: Sequence[str] | None = None
    since: datetime | None = None
    after: int = 0
    """Only those with a greater id: where the page before ended."""

    @property
    def is_all(self) -> bool:
        """Whether nothing but their state chooses them."""
        return self.ids is None and self.reasons is None and self.sources is None and self.since is None

    def asked(self, **more: Any) -> dict[str, Any]:
        """As parameters of a statement."""
        return {**asdict(self), "states": list(self.states), **more}


class LetterTable:
    """Reads and closes dead letters; on a connection that commits each statement by itself."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection

    def count(self, selection: Selection) -> int:
        """How many there are."""
        with postgres_errors():
            row = self._connection.execute(statements.COUNT_LETTERS, selection.asked()).fetchone()
        return int(row[0]) if row else 0

    def page(self, selection: Selection, limit: int) -> list[dict[str, Any]]:
        """The first so many, oldest first, without their bytes."""
        with postgres_errors(), self._connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(statements.LIST_LETTERS, selection.asked(limit=limit)).fetchall()

    def unchosen(self, selection: Selection) -> dict[int, str]:
        """Ids that were named and that the selection has not, each with the reason why."""
        if selection.ids is None:
            return {}
        chosen = {letter["id"] for letter in self.page(selection, len(selection.ids))}
        with postgres_errors():
            found = self._connection.execute(statements.FIND_LETTERS, {"ids": list(selection.ids)})
            states = dict(found.fetchall())
        return {
            number: _why_not(states.get(number), selection)
            for number in selection.ids
            if number not in chosen
        }

    def letter(self, number: int) -> dict[str, Any] | None:
        """All of one."""
        with postgres_errors(), self._connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(statements.SHOW_LETTER, {"id": number}).fetchone()

    def discard(self, selection: Selection) -> int:
        """Close them for good; returns how many."""
        with postgres_errors():
            return self._connection.execute(statements.DISCARD_LETTERS, selection.asked()).rowcount

    def store_skip(self, columns: Mapping[str, Any]) -> int:
        """Store a record that the sinks are to step over; returns its id."""
        with postgres_errors():
            row = self._connection.execute(statements.INSERT_SKIP, columns).fetchone()
        if row is None:
            raise RuntimeError("an upsert that returns its row returned none")
        return int(row[0])

    def taken(self, selection: Selection) -> Iterator[list[dict[str, Any]]]:
        """Some at a time, locked while the caller is at them, with their bytes.

        What the caller does before it asks for the next ones is committed together with `redriven`. What is
        parked meanwhile, such as a record that was sent again in vain, is not among them.
        """
        after = selection.after
        with postgres_errors():
            row = self._connection.execute(statements.LAST_LETTER).fetchone()
        last = row[0] if row else 0
        while True:
            with postgres_errors(), self._connection.transaction():
                with self._connection.cursor(row_factory=dict_row) as cursor:
                    asked = selection.asked(limit=_AT_ONCE) | {"after": after, "last": last}
                    letters = cursor.execute(statements.TAKE_LETTERS, asked).fetchall()
                if not letters:
                    return
                after = letters[-1]["id"]
                yield letters

    def redriven(self, numbers: Sequence[int]) -> None:
        """Note that these were sent again; within `taken`."""
        with postgres_errors():
            self._connection.execute(statements.MARK_REDRIVEN, {"ids": list(numbers)})


def _why_not(state: str | None, selection: Selection) -> str:
    if state is None:
        return "there is no such dead letter"
    if state not in selection.states:
        return f"it is {state}, not {' or '.join(selection.states)}"
    return "it is of another reason, source or time"
