"""The table `replays`: what was begun, how far it is, and that only one process is at it."""

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from psycopg import Connection
from psycopg.rows import dict_row

from config.errors import RelayError
from consumers import statements
from consumers.fates import postgres_errors
from consumers.replay.held import Held
from consumers.replay.order import Order, Range, Ranges

NOTE_EVERY_S: Final = 2.0
"""Of a replay that goes on: how often its row is to say how far it is."""
LOCK_CLASS: Final = 0x5E55
"""First half of the advisory lock's number; the second is the replay's id."""


class Cancelled(RelayError):
    """An operator has cancelled the replay while it ran."""


@dataclass(frozen=True, kw_only=True)
class Replay:
    """One row."""

    id: int
    phase: str
    topic_id: UUID
    ranges: Ranges
    next_offsets: Mapping[int, int]
    figures: Mapping[str, Any]


class Replays:
    """Reads and writes the table, on a connection that commits each statement by itself."""

    def __init__(self, connection: Connection[Any]) -> None:
        self._connection = connection

    def unfinished(self, order: Order) -> Replay | None:
        """The replay of this very order that was begun and has not ended."""
        row = self._one(statements.FIND_REPLAY, {"asked": json.dumps(order.asked())})
        if row is None:
            return None
        ranges = zip(row["partitions"], map(Range, row["begins"], row["ends"]), strict=True)
        return Replay(
            id=row["id"],
            phase=row["phase"],
            topic_id=row["origin_topic_id"],
            ranges=dict(ranges),
            next_offsets=dict(zip(row["partitions"], row["next_offsets"], strict=True)),
            figures=row["figures"],
        )

    def begin(self, order: Order, held: Held, ranges: Ranges, phase: str) -> Replay:
        """Note a new one."""
        begins = [range_.begin for range_ in ranges.values()]
        wanted = {
            "kind": order.kind,
            "phase": phase,
            "asked": json.dumps(order.asked()),
            "topic": held.topic,
            "topic_id": held.topic_id,
            "partitions": list(ranges),
            "begins": begins,
            "ends": [range_.end for range_ in ranges.values()],
        }
        row = self._one(statements.INSERT_REPLAY, wanted)
        if row is None:
            raise RuntimeError("an insert that returns its row returned none")
        return Replay(
            id=row["id"],
            phase=phase,
            topic_id=held.topic_id,
            ranges=ranges,
            next_offsets=dict(zip(ranges, begins, strict=True)),
            figures={},
        )

    def note(
        self,
        replay: Replay,
        *,
        phase: str,
        state: str = "unfinished",
        next_offsets: Mapping[int, int] | None = None,
        figures: Mapping[str, Any] | None = None,
    ) -> None:
        """Note how far one is; what is left out stays as it was.

        Raises:
            Cancelled: It has ended in the meantime.
        """
        told = None
        if next_offsets is not None:
            told = [next_offsets.get(number, range_.begin) for number, range_ in replay.ranges.items()]
        wanted = {
            "id": replay.id,
            "phase": phase,
            "state": state,
            "next_offsets": told,
            "figures": None if figures is None else json.dumps(figures),
        }
        with postgres_errors():
            if not self._connection.execute(statements.NOTE_REPLAY, wanted).rowcount:
                raise Cancelled(f"replay {replay.id} has ended in the meantime")

    @contextmanager
    def only_one(self, order: Order) -> Iterator[None]:
        """Be the only process that is at this very order, from before it looks for an unfinished replay.

        What is read of that stays true, and two equal commands never begin one each. The lock ends with
        the connection, however that ends.

        Raises:
            RelayError: Another process is.
        """
        of = {"class": LOCK_CLASS, "asked": json.dumps(order.asked())}
        row = self._one(statements.LOCK_ASKED, of)
        if row is None or not row["locked"]:
            earlier = self.unfinished(order)
            which = "the same replay" if earlier is None else f"replay {earlier.id}"
            raise RelayError(f"another process is at {which}: let it end, or cancel it")
        try:
            yield
        finally:
            self._unlock(statements.UNLOCK_ASKED, of)

    @contextmanager
    def alone(self, number: int) -> Iterator[None]:
        """Be the only process that is at it; the lock ends with the connection, however that ends.

        Raises:
            RelayError: Another process is.
        """
        of = {"class": LOCK_CLASS, "id": number}
        row = self._one(statements.LOCK_REPLAY, of)
        if row is None or not row["locked"]:
            raise RelayError(f"another process is at replay {number}")
        try:
            yield
        finally:
            self._unlock(statements.UNLOCK_REPLAY, of)

    def page(self, limit: int) -> Sequence[dict[str, Any]]:
        """The newest ones first."""
        with postgres_errors(), self._connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(
                statements.LIST_REPLAYS, {"limit": limit, "class": LOCK_CLASS, "id": None}
            ).fetchall()

    def replay(self, number: int) -> dict[str, Any] | None:
        """All of one."""
        return self._one(statements.LIST_REPLAYS, {"limit": 1, "class": LOCK_CLASS, "id": number})

    def cancel(self, number: int) -> None:
        """End one that is unfinished; a process that is at it stops at its next note."""
        with postgres_errors():
            self._connection.execute(statements.CANCEL_REPLAY, {"id": number})

    def parked(self, held: Held, ranges: Ranges) -> Mapping[str, int]:
        """How many records of these ranges are dead letters, by their state."""
        wanted = {
            "topic_id": held.topic_id,
            "partitions": list(ranges),
            "begins": [range_.begin for range_ in ranges.values()],
            "ends": [range_.end for range_ in ranges.values()],
        }
        with postgres_errors():
            return dict(self._connection.execute(statements.COUNT_PARKED, wanted).fetchall())

    def _unlock(self, statement: Any, of: Mapping[str, Any]) -> None:
        if not self._connection.closed and not self._connection.broken:
            self._connection.execute(statement, of)

    def _one(self, statement: Any, wanted: Mapping[str, Any]) -> dict[str, Any] | None:
        with postgres_errors(), self._connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(statement, wanted).fetchone()
