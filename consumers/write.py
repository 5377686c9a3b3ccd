"""One batch, one transaction: COPY, then fence, upsert, sums of outcomes, COMMIT.

The order matters. Client data is awaited only by COPY into the connection's own staging table, while
nothing that others need is locked: a client that is frozen there holds up nobody. From the fence on
the server works alone.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from time import perf_counter
from typing import Any, Final
from uuid import UUID

from psycopg import Connection
from psycopg_pool import ConnectionPool

from config import metrics
from consumers import statements
from consumers.batch import Batch, Read
from consumers.fates import TryAgain, postgres_errors
from consumers.fold import Folded, State, fold, from_the_future
from consumers.offsets import Offsets
from consumers.outcome import Outcome
from consumers.positions import Position
from consumers.rows import COLUMNS, staged_row
from schemas.event import RANK, EventType

Groups = Sequence[Sequence[Read]]
"""Records of sessions that a batch holds several times: a group a session, in order."""
Place = tuple[UUID, int, int]
"""Topic id, partition, offset: where in the log a row's state came from."""
Tally = dict[int, Counter[Outcome]]
"""Outcomes per partition."""

_TYPES: Final = list(COLUMNS.values())


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
                tally = self._apply(connection, batch, positions)
                applied = perf_counter()
            metrics.SINK_BATCH.labels(stage="commit").observe(perf_counter() - applied)
            metrics.SINK_BATCH.labels(stage="apply").observe(applied - begun)
        return tally

    def _apply(self, connection: Connection[Any], batch: Batch, positions: Mapping[int, Position]) -> Tally:
        tally: Tally = {partition: Counter() for partition in batch.spans}
        for poison in batch.poison:
            tally[poison.partition][Outcome.PARKED] += 1
        for skipped in batch.skipped:
            tally[skipped.partition][Outcome.PARKED] += 1
        topic_ids = {partition: position.topic_id for partition, position in positions.items()}
        connection.execute(statements.SET_TIMEOUTS, self._timeouts)
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


def _by_key(reads: Iterable[Read], tally: Tally) -> tuple[list[Read], list[list[Read]]]:
    """Part the records by whether their session is in the batch once or several times; in order."""
    by_key: dict[tuple[str, str, str | None], list[Read]] = {}
    for read in reads:
        event = read.event
        if event.type not in RANK:
            tally[read.partition][Outcome.PASSED] += 1
            continue
        by_key.setdefault((event.tenant, event.source, event.session_id), []).append(read)
    once = [group[0] for group in by_key.values() if len(group) == 1]
    return once, [group for group in by_key.values() if len(group) > 1]


def _keys_of(groups: Groups) -> dict[str, list[str | None]]:
    firsts = [group[0].event for group in groups]
    return {
        "tenants": [event.tenant for event in firsts],
        "sources": [event.source for event in firsts],
        "session_ids": [event.session_id for event in firsts],
    }


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
    with connection.cursor().copy(statements.COPY_STAGE) as copy:
        copy.set_types(_TYPES)
        for event, partition, offset, row, _message in once:
            copy.write_row(row or staged_row(event, (topic_ids[partition], partition, offset)))
        for (event, partition, offset, _row, _message), one, _ in folded:
            copy.write_row(staged_row(event, (topic_ids[partition], partition, offset), one.written))
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


def count_future_events(reads: Iterable[Read]) -> int:
    """How many claim to have occurred more than 24 hours after they arrived."""
    return sum([from_the_future(read.event) for read in reads])
