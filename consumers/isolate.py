"""Which records of a batch does Postgres reject? Found by bisection, in a transaction that is rolled back.

It begins when a write has failed as data, takes no fence and changes nothing; the batch is then written
anew without what was found, so that its sessions fold as if the bad events had never come. As in a
write, client data is awaited before any row is locked.
"""

from collections.abc import Callable, Mapping, Sequence
from time import perf_counter
from typing import Any, NamedTuple, TypeVar

from psycopg import Connection
from psycopg_pool import ConnectionPool

from config import metrics
from config.errors import Poison
from consumers import statements
from consumers.batch import Batch, Read, Unstorable, groups_of
from consumers.fates import postgres_errors
from consumers.fold import State, fold
from consumers.rows import COPY_BEGIN, COPY_END
from consumers.write import read_states

T = TypeVar("T")


class Rejected(NamedTuple):
    """A record that Postgres does not take, and why."""

    read: Read
    poison: Poison


class Isolate:
    """Finds what Postgres rejects of a batch; every call is one transaction that leaves nothing behind."""

    def __init__(self, pool: ConnectionPool, timeouts: Mapping[str, str]) -> None:
        self._pool, self._timeouts = pool, timeouts

    def __call__(self, batch: Batch) -> list[Unstorable]:
        """The batch's records that Postgres rejects, each alone; none if only their company is rejected.

        Raises:
            PostgresUnavailable: It could not be found out.
            TryAgain: A race was lost.
        """
        begun = perf_counter()
        with (
            postgres_errors(),
            self._pool.connection() as connection,
            connection.transaction(force_rollback=True),
        ):
            connection.execute(statements.SET_TIMEOUTS, self._timeouts)
            found = self._search(connection, batch)
        metrics.SINK_BATCH.labels(stage="isolate").observe(perf_counter() - begun)
        return [read.unstorable(poison) for read, poison in found]

    def _search(self, connection: Connection[Any], batch: Batch) -> list[Rejected]:
        """Look for them, and roll everything back."""
        with connection.transaction(force_rollback=True):
            connection.execute(statements.SET_TIMEOUTS, self._timeouts)
            return _rejected(connection, batch)


def _rejected(connection: Connection[Any], batch: Batch) -> list[Rejected]:
    reads = [read for read in batch.reads if read.key is not None]
    unstageable = bisect(reads, lambda part: _stage(connection, part))
    found = [Rejected(*one) for one in unstageable]
    refused = {id(rejected.read) for rejected in found}
    sessions = _sessions(connection, [read for read in reads if id(read) not in refused])
    # The whole is known to fail, unless it was the stage that refused.
    waiting, known_bad = sessions, not found
    while waiting:
        worse = bisect(waiting, lambda part: _upsert(connection, part), known_bad=known_bad)
        found += [Rejected(session.winner, poison) for session, poison in worse]
        waiting = [less for session, _ in worse if (less := session.without_winner()) is not None]
        known_bad = False
    return found


class Session:
    """The records of one session, and which of them would be its row: the only one that Postgres sees."""

    def __init__(self, state: State | None, reads: Sequence[Read], winner: int) -> None:
        self._state, self._reads, self._winner = state, reads, winner

    @classmethod
    def folded(cls, state: State | None, reads: Sequence[Read]) -> "Session | None":
        """None where no record would be written; one that is alone is for Postgres to decide."""
        alone = len(reads) == 1
        winner = 0 if alone else fold(state, [read.event for read in reads]).winner
        return None if winner is None or not reads else cls(state, reads, winner)

    @property
    def winner(self) -> Read:
        """The record that would be the row."""
        return self._reads[self._winner]

    def without_winner(self) -> "Session | None":
        """The session folded again, as if that record had never come."""
        return self.folded(self._state, [read for read in self._reads if read is not self.winner])


def bisect(
    items: Sequence[T], attempt: Callable[[Sequence[T]], None], *, known_bad: bool = False
) -> list[tuple[T, Poison]]:
    """Find the items that are rejected, each alone, with at most 2 ⌈log2 n⌉ attempts for each of them.

    Args:
        items: What is tried, in order.
        attempt: Tries some and keeps them, or raises Poison and has kept none of them.
        known_bad: Whether all of them together are known to be rejected: that is not tried again.
    """
    if not items:
        return []
    if not known_bad or len(items) == 1:
        try:
            attempt(items)
        except Poison as poison:
            if len(items) == 1:
                return [(items[0], poison)]
        else:
            return []
    half = (len(items) + 1) // 2
    left = bisect(items[:half], attempt)
    return left + bisect(items[half:], attempt, known_bad=not left)


def _stage(connection: Connection[Any], reads: Sequence[Read]) -> None:
    cursor = connection.cursor()
    with postgres_errors(), connection.transaction(), cursor.copy(statements.COPY_STAGE) as copy:
        copy.write(b"".join([COPY_BEGIN, *(read.row for read in reads), COPY_END]))


def _upsert(connection: Connection[Any], sessions: Sequence[Session]) -> None:
    winners = [session.winner for session in sessions]
    places = {
        "partitions": [read.partition for read in winners],
        "offsets": [read.offset for read in winners],
    }
    with postgres_errors(), connection.transaction():
        connection.execute(statements.MARK_STAGED, places)
        connection.execute(statements.UPSERT_SESSIONS, {"folded": True})
        connection.execute(statements.UNSTAGE_MARKED)
        connection.execute(statements.CHECK_NOW)


def _sessions(connection: Connection[Any], reads: Sequence[Read]) -> list[Session]:
    groups = groups_of(reads)
    states = read_states(connection, groups)
    sessions = []
    for position, group in enumerate(groups, start=1):
        _, state = states.get(position, (None, None))
        if (session := Session.folded(state, group)) is not None:
            sessions.append(session)
    return sessions
