"""One batch, one transaction: COPY, then fence, upsert, sums of outcomes, COMMIT.

The order matters. Client data is awaited only by COPY into the connection's own staging table, while
nothing that others need is locked: a client that is frozen there holds up nobody. It may have gone ahead,
while the batch before was written (`ahead.py`). From the fence on the server works alone.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from time import perf_counter
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg_pool import ConnectionPool

from config import metrics
from consumers import statements
from consumers.ahead import Ahead
from consumers.batch import Batch, Groups, Parted, Read, parted
from consumers.fates import TryAgain, postgres_errors
from consumers.fold import Folded, State, fold
from consumers.offsets import Offsets
from consumers.outcome import Outcome
from consumers.positions import Position
from consumers.rows import folded_row
from consumers.stage import begun, copy_rows
from schemas.event import RANK, EventType

Place = tuple[UUID, int, int]
"""Topic id, partition, offset: where in the log a row's state came from."""
Tally = dict[int, Counter[Outcome]]
"""Outcomes per partition."""


class Write:
    """Applies batches; every call is one transaction on a pooled connection.

    Args:
        pool: Of the connections.
        offsets: The group's, on the topic.
        timeouts: Of each transaction.
        ahead: Has staged batches while those before them were written.
    """

    def __init__(
        self,
        pool: ConnectionPool,
        offsets: Offsets,
        timeouts: Mapping[str, str],
        ahead: Ahead | None = None,
    ) -> None:
        self._pool, self._offsets, self._timeouts, self._ahead = pool, offsets, timeouts, ahead

    def __call__(self, batch: Batch, positions: Mapping[int, Position]) -> Tally:
        """Apply a batch that begins at these positions, all or nothing.

        Raises:
            PostgresUnavailable: Nothing was applied, or COMMIT's answer was lost: the table knows.
            Poison: Postgres rejects a row; nothing was applied, and which one it is is to be found.
            Fenced: Somebody else has moved one of the partitions on; nothing was applied.
            TryAgain: A race was lost; nothing was applied.
        """
        metrics.DB_QUERIES.inc()
        staged = None if self._ahead is None else self._ahead.take(batch)
        with postgres_errors(), ExitStack() as transaction:
            begun_s = perf_counter()
            if staged is None:
                connection = begun(transaction, self._pool, self._timeouts)
                tally = self.within(connection, batch, positions)
            else:
                transaction.enter_context(staged.transaction)
                tally = self._decide(staged.connection, staged.records, batch, positions)
            applied_s = perf_counter()
            transaction.close()  # COMMIT
            metrics.SINK_BATCH.labels(stage="commit").observe(perf_counter() - applied_s)
            metrics.SINK_BATCH.labels(stage="apply").observe(applied_s - begun_s)
        return tally

    def within(self, connection: Connection[Any], batch: Batch, positions: Mapping[int, Position]) -> Tally:
        """Apply a batch in the transaction that the connection is in, under whatever time-outs that has.

        What is staged then stays so until COMMIT. It raises what psycopg does.
        """
        records = parted(batch.reads)
        if records.once:
            copy_rows(connection, (read.row for read in records.once))
        return self._decide(connection, records, batch, positions)

    def drop_staged(self, batch: Batch) -> None:
        """Let go of what went ahead of a batch: it is written in pieces."""
        if self._ahead is not None:
            self._ahead.drop(batch)

    def _decide(
        self, connection: Connection[Any], records: Parted, batch: Batch, positions: Mapping[int, Position]
    ) -> Tally:
        """Fold what comes several times, take the fence, and apply; those that come once are staged."""
        once, several = records.once, records.several
        tally = _tally_of(batch, records)
        states = read_states(connection, several)
        folded = _fold_all(several, states, tally)
        if folded:
            copy_rows(connection, (folded_row(read.row, one.written) for read, one, _ in folded))
        self._offsets.fence(connection, {partition: positions[partition] for partition in batch.spans})
        _lock_states(connection, several, states)
        if once:
            _upsert_once(connection, records, tally)
        if folded:
            _upsert_folded(connection, folded)
        self._offsets.advance(connection, batch.spans, positions, tally)
        return tally


def _tally_of(batch: Batch, records: Parted) -> Tally:
    """What is known of a batch before its rows are: what is parked of it, and what touches no row."""
    tally: Tally = {partition: Counter() for partition in batch.spans}
    for poison in batch.poison:
        tally[poison.partition][Outcome.PARKED] += 1
    for skipped in batch.skipped:
        tally[skipped.partition][Outcome.PARKED] += 1
    for partition, count in records.count_without_row.items():
        tally[partition][Outcome.PASSED] += count
    return tally


def _keys_of(groups: Groups) -> dict[str, list[str]]:
    keys = [key for group in groups if (key := group[0].key) is not None]
    names = ("tenants", "sources", "session_ids")
    return {name: [key[part].decode() for key in keys] for part, name in enumerate(names)}


def read_states(connection: Connection[Any], groups: Groups) -> dict[int, tuple[Place, State]]:
    """The rows of these groups' sessions, by the group's number from 1; those that there are."""
    if not groups:
        return {}
    rows = connection.execute(statements.READ_STATES, _keys_of(groups))
    return {
        position: ((topic_id, partition, offset), State((RANK[EventType(kind)], *rest), tuple(applied)))
        for position, topic_id, partition, offset, kind, *rest, applied in rows
    }


def _lock_states(
    connection: Connection[Any], groups: Groups, states: Mapping[int, tuple[Place, State]]
) -> None:
    """Lock the rows that were folded onto, now that no client data is awaited any more.

    A session that is told under two users can be in two partitions, and so be written by two members.
    """
    if not groups:
        return
    locked = connection.execute(statements.LOCK_STATES, _keys_of(groups))
    if {position: tuple(place) for position, *place in locked} != {
        n: place for n, (place, _) in states.items()
    }:
        raise TryAgain("a session changed while it was being folded")


def _fold_all(
    groups: Groups, states: Mapping[int, tuple[Place, State]], tally: Tally
) -> list[tuple[Read, Folded, bool]]:
    """Fold each group onto its row: the winning record, what became of all, whether there was a row."""
    winners = []
    for position, group in enumerate(groups, start=1):
        _, state = states.get(position, (None, None))
        folded = fold(state, [read.event for read in group])
        for read, outcome in zip(group, folded.outcomes, strict=True):
            tally[read.partition][outcome] += 1
        if folded.winner is not None:
            winners.append((group[folded.winner], folded, state is not None))
    return winners


def _upsert_once(connection: Connection[Any], records: Parted, tally: Tally) -> None:
    """Let SQL decide about the keys that come once, and learn what became of each."""
    written = connection.execute(statements.UPSERT_SESSIONS, {"folded": False}).rowcount
    unwritten = len(records.once) - written
    for partition, count in records.count_once.items():
        tally[partition][Outcome.WRITTEN] += count
    if not unwritten:
        return
    for partition, duplicate, count in connection.execute(statements.COUNT_UNWRITTEN):
        tally[partition][Outcome.WRITTEN] -= count
        tally[partition][Outcome.DUPLICATE if duplicate else Outcome.STALE] += count
        unwritten -= count
    if unwritten:
        raise RuntimeError(f"{unwritten} staged events are neither in the table nor left out of it")


def _upsert_folded(connection: Connection[Any], folded: Sequence[tuple[Read, Folded, bool]]) -> None:
    """Write the winners of keys that come several times; rows that there were are locked.

    A key that had no row could not be locked: if somebody else has inserted it since, the fold began
    from the wrong state.
    """
    inserted = updated = 0
    for is_new, count in connection.execute(statements.UPSERT_AND_TELL, {"folded": True}):
        inserted, updated = (inserted + count, updated) if is_new else (inserted, updated + count)
    existing = sum(1 for *_, existed in folded if existed)
    if (inserted, updated) != (len(folded) - existing, existing):
        raise TryAgain("a session appeared while it was being folded")
