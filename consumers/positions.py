"""Where each partition goes on: decided by the table and the log, never by Kafka's commit."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple
from uuid import UUID

import structlog
from psycopg_pool import ConnectionPool

from consumers import statements
from consumers.fates import postgres_errors
from consumers.races import tried_again
from consumers.topics import Topics

log = structlog.get_logger()


class Row(NamedTuple):
    """A partition's row in `consumer_offsets`."""

    topic_id: UUID
    next_offset: int


class Log(NamedTuple):
    """A partition as Kafka holds it now."""

    topic_id: UUID
    first: int
    end: int
    """The next offset to be given out (the high watermark)."""


@dataclass(frozen=True, kw_only=True)
class Position:
    """What this member last read or wrote of a partition, and where it reads on."""

    topic_id: UUID
    row: Row | None
    """What the fence expects to find; None where there was no row."""
    begin: int
    """The next offset to read."""
    first: int
    """The log's first offset, for a row that begins anew."""
    restart: bool = False
    """Whether sums and first offset begin anew: the topic was recreated, or its log was cut."""
    skips: frozenset[int] = frozenset()
    """Offsets that an operator has told the sinks to step over; they count as parked."""

    @property
    def is_recreated(self) -> bool:
        """Whether the topic is another one than that of the row: its records are new ones."""
        return self.row is not None and self.row.topic_id != self.topic_id


def place(row: Row | None, held: Log) -> Position:
    """Decide where a partition goes on.

    No row: from the log's first offset. Another topic id, or a row beyond the log's end: the log is
    another one, or was cut; all of it is read again, since applying is idempotent. A row before the
    log's first offset: what lies between is gone and counts as a gap. Else: where the row says.
    """
    if row is None:
        return Position(topic_id=held.topic_id, row=None, begin=held.first, first=held.first)
    if row.topic_id != held.topic_id or row.next_offset > held.end:
        return Position(topic_id=held.topic_id, row=row, begin=held.first, first=held.first, restart=True)
    return Position(topic_id=held.topic_id, row=row, begin=max(row.next_offset, held.first), first=held.first)


class Positions:
    """Reads the table and the log; used by the writing thread alone."""

    def __init__(
        self, pool: ConnectionPool, topics: Topics, topic: str, group: str, timeouts: Mapping[str, str]
    ) -> None:
        self._pool, self._topics, self._topic, self._group = pool, topics, topic, group
        self._timeouts = timeouts

    def read(self, partitions: Sequence[int], *, probe: bool, timeout_s: float = 10.0) -> dict[int, Position]:
        """Place these partitions; as a probe this also writes, to see that Postgres takes it.

        Raises:
            KafkaUnavailable: Kafka did not tell topic id and offsets in time.
            PostgresUnavailable: The table could not be read.
        """
        # The table first: it only moves on, so a log read later never seems cut when it is not.
        rows, skips = tried_again(lambda: self._rows(partitions, probe=probe))
        if not partitions:
            return {}
        held = self._logs(partitions, timeout_s)
        positions = {}
        for partition in partitions:
            log_now = held[partition]
            skipped = frozenset(
                o for topic_id, p, o in skips if (topic_id, p) == (log_now.topic_id, partition)
            )
            positions[partition] = replace(place(rows.get(partition), log_now), skips=skipped)
        for partition, position in positions.items():
            self._tell(partition, position)
        return positions

    def stand(self, positions: Mapping[int, Position]) -> bool:
        """Whether the table is where these positions left it; it is not when a backup was put back.

        Raises:
            PostgresUnavailable: The table could not be read.
        """
        rows, _ = tried_again(lambda: self._rows(list(positions), probe=False))
        return all(rows.get(partition) == at.row for partition, at in positions.items())

    def topic_id(self, timeout_s: float = 10.0) -> UUID:
        """The topic's id in Kafka now; another one than before means that it was recreated.

        Raises:
            KafkaUnavailable: Kafka did not tell in time.
        """
        return self._topics.id_of(self._topic, timeout_s)

    def _rows(
        self, partitions: Sequence[int], *, probe: bool
    ) -> tuple[Mapping[int, Row], Sequence[tuple[UUID, int, int]]]:
        """What the table says of these partitions, and what is to be skipped: topic id, partition, offset."""
        wanted = {"group": self._group, "topic": self._topic, "partitions": list(partitions)}
        with postgres_errors(), self._pool.connection() as connection:
            connection.execute(statements.SET_TIMEOUTS, self._timeouts)
            if probe:
                connection.execute(statements.TOUCH_OFFSETS, wanted)
            found = connection.execute(statements.READ_OFFSETS, wanted).fetchall()
            skips = connection.execute(statements.READ_SKIPS, wanted).fetchall()
        return {partition: Row(topic_id, next_offset) for partition, topic_id, next_offset in found}, skips

    def _logs(self, partitions: Sequence[int], timeout_s: float) -> Mapping[int, Log]:
        topic_id = self._topics.id_of(self._topic, timeout_s)
        marks = self._topics.watermarks(self._topic, partitions, timeout_s)
        return {partition: Log(topic_id, *marks[partition]) for partition in partitions}

    def _tell(self, partition: int, position: Position) -> None:
        told = {"topic": self._topic, "partition": partition, "begin": position.begin}
        if ahead := sorted(offset for offset in position.skips if offset >= position.begin):
            log.warning("records_to_skip", topic=self._topic, partition=partition, offsets=ahead)
        if position.restart:
            log.warning("partition_restarted", **told)
        elif position.row is not None and position.begin > position.row.next_offset:
            missing = position.begin - position.row.next_offset
            log.error("gap_in_log", missing=missing, **told)
        else:
            log.info("partition_placed", **told)
