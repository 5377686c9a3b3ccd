"""The dead-letter topic into `dead_letters`: one transaction a read, under the same fence as events.

Nothing is decoded and nothing is parked here, and no storm is judged: this is the end of the line.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, TypeVar

from confluent_kafka import Message
from psycopg import Connection
from psycopg_pool import ConnectionPool

from consumers import statements
from consumers.batch import Span, headers_of
from consumers.consumer import Record
from consumers.fates import postgres_errors
from consumers.letters import TYPES, Letter, Origin, Told, letter_of
from consumers.offsets import Offsets
from consumers.outcome import Outcome
from consumers.positions import Position
from consumers.races import tried_again

T = TypeVar("T")


class Letters(NamedTuple):
    """Dead letters that were read, and the offsets that they cover."""

    letters: Sequence[Letter]
    spans: Mapping[int, Span]


class Keep(NamedTuple):
    """Days after which rows are removed whose work has ended."""

    letters_days: int
    """Dead letters that were redriven or discarded."""
    replays_days: int
    """Replays that are done or cancelled."""


def letters_of(records: Sequence[Record], topic: str, positions: Mapping[int, Position]) -> Letters:
    """The rows of what was read of the topic."""
    letters: list[Letter] = []
    spans: dict[int, Span] = {}
    for partition, expected, offset, message in records:
        at = Origin(topic, positions[partition].topic_id, partition, offset)
        if offset not in positions[partition].skips:
            letters.append(letter_of(told(message), at))
        span = spans.get(partition, Span(expected, expected, 0))
        spans[partition] = Span(span.begin, offset + 1, span.records + 1)
    return Letters(letters, spans)


def told(message: Message) -> Told:
    """What a message says."""
    kind, timestamp_ms = message.timestamp()
    return Told(message.key(), message.value(), headers_of(message), timestamp_ms if kind else 0)


class Project:
    """Writes dead letters; every call is one transaction on a pooled connection.

    Args:
        pool: The connections.
        offsets: The fence of the dead-letter topic.
        timeouts: Of statements and locks.
        keep: How long what has ended is kept.
    """

    def __init__(
        self, pool: ConnectionPool, offsets: Offsets, timeouts: Mapping[str, str], keep: Keep
    ) -> None:
        self._pool, self._offsets, self._timeouts = pool, offsets, timeouts
        self._keep = keep

    def __call__(self, read: Letters, positions: Mapping[int, Position]) -> None:
        """Add what is not there yet, and move the offsets; all or nothing.

        Raises:
            PostgresUnavailable: Nothing was written, or COMMIT's answer was lost: the table knows.
            Fenced: Somebody else has moved one of the partitions on; nothing was written.
        """
        self._within(lambda connection: self._apply(connection, read, positions))

    def open(self) -> int:
        """How many dead letters are open."""
        row = self._within(lambda connection: connection.execute(statements.COUNT_OPEN_LETTERS).fetchone())
        return int(row[0]) if row else 0

    def purge(self) -> int:
        """Remove some of what has ended long ago; returns how many rows."""
        return self._within(self._purge)

    def _within(self, work: Callable[[Connection[Any]], T]) -> T:
        """Do it in a transaction, and again where a race was lost."""

        def once() -> T:
            with postgres_errors(), self._pool.connection() as connection:
                return work(connection)

        return tried_again(once)

    def _purge(self, connection: Connection[Any]) -> int:
        connection.execute(statements.SET_TIMEOUTS, self._timeouts)
        letters = connection.execute(statements.PURGE_LETTERS, {"keep_days": self._keep.letters_days})
        replays = connection.execute(statements.PURGE_REPLAYS, {"keep_days": self._keep.replays_days})
        return letters.rowcount + replays.rowcount

    def _apply(self, connection: Connection[Any], read: Letters, positions: Mapping[int, Position]) -> None:
        connection.execute(statements.SET_TIMEOUTS, self._timeouts)
        with connection.cursor().copy(statements.COPY_LETTER_STAGE) as copy:
            copy.set_types(TYPES)
            for letter in read.letters:
                copy.write_row(letter)
        self._offsets.fence(connection, {partition: positions[partition] for partition in read.spans})
        added = dict(connection.execute(statements.INSERT_LETTERS).fetchall())
        tally = {
            partition: Counter(
                {
                    Outcome.WRITTEN: added.get(partition, 0),
                    Outcome.DUPLICATE: span.records - added.get(partition, 0),
                }
            )
            for partition, span in read.spans.items()
        }
        self._offsets.advance(connection, read.spans, positions, tally)
