"""One batch, one transaction: COPY, then fence, upsert, sums of outcomes, COMMIT.

The order matters. Client data is awaited only by COPY into the connection's own staging table, while
nothing that others need is locked: a client that is frozen there holds up nobody. From the fence on
the server works alone.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from time import perf_counter
from typing import Any
from uuid import UUID

from psycopg import Connection
from psycopg_pool import ConnectionPool

from config import metrics
from consumers import statements
from consumers.batch import Batch, Key, Read
from consumers.fates import TryAgain, postgres_errors
from consumers.fold import Folded, State, fold
from consumers.offsets import Offsets
from consumers.outcome import Outcome
from consumers.positions import Position
from consumers.rows import COPY_BEGIN, COPY_END, packed_row, staged_row
from schemas.event import RANK, EventType

Groups = Sequence[Sequence[Read]]
"""Records of sessions that a batch holds several times: a group a session, in order."""
Place = tuple[UUID, int, int]
"""Topic id, partition, offset: where in the log a row's state came from."""
Tally = dict[int, Counter[Outcome]]
"""Outcomes per partition."""


class Write:
    """Applies batches; every call is one transaction on a pooled connection."""

    def __init__(self, pool: ConnectionPool, offsets: Offsets, timeouts: Mapping[str, str]) -> None:
        self._pool, self._offsets, self._timeouts = pool, offsets, timeouts

    def __call__(self, batch: Batch, positions: Mapping[int, Position]) -> Tally:
        """Apply a batch that begins at these positions, all or nothing.

        Raises:
            PostgresUnavailable: Nothing was applied, or COMMIT's answer was lost: the table knows.
            Poison: Postgres rejects a row; nothing was applied, and which one it is is to be found.
            Fenced: Somebody else has moved one of the partitions on; nothing was applied.
            TryAgain: A race was lost; nothing was applied.
        """
        metrics.DB_QUERIES.inc()
        with postgres_errors(), self._pool.connection() as connection:
            begun = perf_counter()
            with connection.transaction():
                connection.execute(statements.SET_TIMEOUTS, self._timeouts)
                tally = self._apply(connection, batch, positions)
                applied = perf_counter()
            metrics.SINK_BATCH.labels(stage="commit").observe(perf_counter() - applied)
            metrics.SINK_BATCH.labels(stage="apply").observe(applied - begun)
        return tally

    def within(self, connection: Connection[Any], batch: Batch, positions: Mapping[int, Position]) -> Tally:
        """Apply a batch in the transaction that the connection is in, under whatever time-outs that has.

        It raises what psycopg does.
        """
        return self._apply(connection, batch, positions)

    def _apply(self, connection: Connection[Any], batch: Batch, positions: Mapping[int, Position]) -> Tally:
        tally: Tally = {partition: Counter() for partition in batch.spans}
        for poison in batch.poison:
            tally[poison.partition][Outcome.PARKED] += 1
        for skipped in batch.skipped:
            tally[skipped.partition][Outcome.PARKED] += 1
        topic_ids = {partition: position.topic_id for partition, position in positions.items()}
        once, several = _by_key(batch.reads, tally)
        states = read_states(connection, several)
        folded = _fold_all(several, states, tally)
        _copy(connection, once, folded, topic_ids)
        self._offsets.fence(connection, {partition: positions[partition] for partition in batch.spans})
        _lock_states(connection, several, states)
        if once:
            _upsert_once(connection, once, tally)
        if folded:
            _upsert_folded(connection, folded)
        self._offsets.advance(connection, batch.spans, positions, tally)
        return tally


def _by_key(reads: Sequence[Read], tally: Tally) -> tuple[Sequence[Read], Groups]:
    """Part the records by whether their session is in the batch once or several times; in order."""
    if len({read.key for read in reads if read.key}) == len(reads):
        return reads, []
    for read in reads:
        if read.key is None:
            tally[read.partition][Outcome.PASSED] += 1
    groups = groups_of(reads)
    return [group[0] for group in groups if len(group) == 1], [group for group in groups if len(group) > 1]


def groups_of(reads: Iterable[Read]) -> Groups:
    """The records of each session, in order; without those that touch no row."""
    by_key: dict[Key, list[Read]] = {}
    for read in reads:
        if read.key is not None:
            by_key.setdefault(read.key, []).append(read)
    return list(by_key.values())


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


def _copy(
    connection: Connection[Any],
    once: Iterable[Read],
    folded: Iterable[tuple[Read, Folded, bool]],
    topic_ids: Mapping[int, UUID],
) -> None:
    begun = perf_counter()
    rows = [read.row for read in once]
    for read, one, _ in folded:
        place = topic_ids[read.partition], read.partition, read.offset
        rows.append(packed_row(staged_row(read.event, place, one.written)))
    with connection.cursor().copy(statements.COPY_STAGE) as copy:
        copy.write(b"".join([COPY_BEGIN, *rows, COPY_END]))
    metrics.SINK_BATCH.labels(stage="copy").observe(perf_counter() - begun)


def _upsert_once(connection: Connection[Any], once: Sequence[Read], tally: Tally) -> None:
    """Let SQL decide about the keys that come once, and learn what became of each."""
    unwritten = len(once) - connection.execute(statements.UPSERT_SESSIONS, {"folded": False}).rowcount
    for partition, count in Counter(read.partition for read in once).items():
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
