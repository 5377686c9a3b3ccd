"""The table made anew from the log, beside live traffic: fold, index, compare; each step can be taken again.

A step is noted before it begins. What was committed of it is found in the shadow itself, so a run that was
killed anywhere goes on.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Self

from psycopg import Connection, IsolationLevel, sql
from psycopg_pool import ConnectionPool

from config.errors import Poison, RelayError, StoppedForSafety
from config.settings import Settings
from consumers import statements
from consumers.decoding import Decoder
from consumers.fates import postgres_errors
from consumers.replay.difference import Difference, difference
from consumers.replay.folding import Folding, Told
from consumers.replay.held import Held, part_of
from consumers.replay.notes import Replay, Replays
from consumers.replay.order import Range, Ranges
from consumers.replay.origin import Origin, Source
from consumers.replay.shadow import TIMEOUTS, Shadow, beyond, live_schema

Phase = Callable[[str], None]
"""Told the name of each step before it begins."""
CLOSE_AT: Final = 5_000
"""So many records may remain when the last ones are applied."""


def targets(connection: Connection[Any], live: str, held: Held, group: str) -> Mapping[int, int]:
    """By partition, how far the sinks are: the fold goes no further, unless an archive does.

    Raises:
        StoppedForSafety: The sinks are ahead of the log, which was cut.
    """
    if not held.alive:
        return held.kept
    found = _offsets(connection, live, held, group)
    told = dict(held.kept)
    for number, topic_id, next_offset in found:
        if topic_id != held.topic_id or number not in held.end:
            continue  # the topic was recreated, and no sink has begun with it
        if next_offset > held.end[number]:
            raise StoppedForSafety(
                f"the log of partition {number} ends at {held.end[number]}, and the sinks have applied "
                f"{next_offset}: it was cut; let a sink read it again first"
            )
        told[number] = max(next_offset, held.kept.get(number, 0))
    return told


def _offsets(connection: Connection[Any], live: str, held: Held, group: str) -> list[tuple[Any, ...]]:
    statement = statements.READ_LIVE_OFFSETS.format(live=sql.Identifier(live))
    return connection.execute(statement, {"group": group, "topic": held.topic}).fetchall()


class Rebuild:
    """One rebuild.

    Args:
        settings: Where everything is.
        connection: To the database, committing each statement by itself.
        origin: Where records come from.
        decoder: Reads records into rows.
    """

    def __init__(
        self, settings: Settings, connection: Connection[Any], origin: Origin, decoder: Decoder
    ) -> None:
        self._settings, self._connection, self.held = settings, connection, origin.held
        self.decoder, self.reading = decoder, origin.reading
        self.live = live_schema(connection)
        self.group = settings.sink.group_id

    def ranges(self) -> Ranges:
        """What there is to fold: from the log's begin to where the sinks are."""
        with postgres_errors():
            ends = targets(self._connection, self.live, self.held, self.group)
        return {n: Range(first, max(first, ends.get(n, first))) for n, first in self.held.first.items()}

    def beyond_the_log(self) -> int:
        """How many live rows come from where nothing can be read any more, or from another topic."""
        names = Shadow(self._settings.db, 0).names(self.live)
        wanted = beyond(self.held)
        with postgres_errors():
            row = self._connection.execute(statements.COUNT_BEYOND.format(**names), wanted).fetchone()
        return int(row[0]) if row else 0

    @contextmanager
    def begun(self, replays: Replays, replay: Replay) -> Iterator["Building"]:
        """Make the shadow, unless it is there, and take hold of it."""
        shadow = Shadow(self._settings.db, replay.id)
        beyond = replay.figures.get("beyond_the_log")
        if not shadow.exists(self._connection):
            replays.note(replay, phase="seeding")
            with postgres_errors(), self._connection.transaction():  # the count can't be made again later
                beyond = shadow.create(self._connection, self.live, self.held, self.group)
                replays.note(replay, phase="folding", figures={"beyond_the_log": beyond})
        elif self.held.kept:  # without an archive, the first offsets tell it
            shadow.check(self._connection, self.live, self.held, self.group)
        with self._building(shadow, self.held) as building:
            building.beyond = int(beyond or 0)
            yield building

    @contextmanager
    def joined(self, number: int, partitions: Collection[int]) -> Iterator["Building"]:
        """Take hold of some partitions of a shadow that another process has made.

        Args:
            number: The replay's.
            partitions: Those that are folded here, and by nobody else.
        """
        with self._building(Shadow(self._settings.db, number), part_of(self.held, partitions)) as building:
            yield building

    @contextmanager
    def _building(self, shadow: Shadow, held: Held) -> Iterator["Building"]:
        with shadow.pool() as pool:
            folding = Folding(pool, held, self.group, self.decoder)
            with Building(self, shadow, pool, folding, self._connection) as building:
                yield building


class Building:
    """A shadow that is being filled."""

    def __init__(
        self,
        rebuild: Rebuild,
        shadow: Shadow,
        pool: ConnectionPool,
        folding: Folding,
        connection: Connection[Any],
    ) -> None:
        self.shadow, self.pool, self.folding = shadow, pool, folding
        self.rebuild = rebuild
        self.connection = connection
        self.names = shadow.names(rebuild.live)
        self.beyond = 0
        self._reading = self._anew()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._reading.__exit__()

    def _anew(self) -> Source:
        begins = self.folding.place()
        ranges = {number: Range(begin, begin) for number, begin in begins.items()}
        return self.rebuild.reading(ranges)

    def again(self) -> None:
        """Go back to what is committed, after a transaction that was rolled back."""
        self._reading.__exit__()
        self._reading = self._anew()

    def committed(self) -> Mapping[int, int]:
        """By partition, the next offset of what is committed in the shadow, whichever process has done it."""
        with postgres_errors():
            rows = _offsets(self.connection, self.shadow.schema, self.rebuild.held, self.rebuild.group)
        return {number: next_offset for number, _, next_offset in rows}

    def remaining(self, connection: Connection[Any] | None = None) -> int:
        """How many offsets the shadow is behind the sinks, as that connection sees them, or the archive."""
        self._aim(connection or self.connection)
        return self._reading.left

    def left(self) -> Mapping[int, int]:
        """The same by partition, as it is now."""
        self._aim(self.connection)
        ends = self._reading.ends
        return {number: ends[number] - at for number, at in self._reading.next.items()}

    def _aim(self, connection: Connection[Any]) -> None:
        held = self.rebuild.held
        ends = dict(held.kept)
        if held.alive:
            with postgres_errors():
                rows = _offsets(connection, self.rebuild.live, held, self.rebuild.group)
            ours = [(number, end) for number, topic_id, end in rows if topic_id == held.topic_id]
            ends.update({number: max(end, ends.get(number, 0)) for number, end in ours})
        if added := sorted(ends.keys() - held.end.keys()):
            raise RelayError(
                f"partition {added[0]} was added since the rebuild began: cancel it, and begin anew"
            )
        self._reading.extend({number: ends[number] for number in self._reading.next if number in ends})

    def catch_up(self, told: Told, rate: float | None = None) -> None:
        """Fold until fewer than 5,000 records remain; they may be more again a moment later."""
        while True:
            self._aim(self.connection)
            self.folding.fold(self._reading, told, rate)
            if self.remaining() < CLOSE_AT:
                return

    def finish(self, phase: Phase) -> Any:
        """Make it fit to be the live table: take over `created_at`, make the indexes, gather statistics.

        Returns:
            The server's time from before; rows that come later are to be looked at again.
        """
        phase("indexing")
        with postgres_errors():
            row = self.connection.execute("SELECT now()").fetchone()
            self.shadow.keep_created(self.connection, self.rebuild.live, None)
            self.shadow.add_indexes(self.connection, self.rebuild.live)
            self.connection.execute(statements.VACUUM_SHADOW.format(**self.names))
        return row[0] if row else None

    def compare(self, *, most: int, show_values: bool) -> Difference:
        """Compare both tables at the same offsets: those that the sinks have in one snapshot."""
        while True:
            try:
                return self._compared(most=most, show_values=show_values)
            except Poison:  # a record that Postgres rejects: folding outside the transaction sets it aside
                self.catch_up(lambda _: None)

    def _compared(self, *, most: int, show_values: bool) -> Difference:
        held = self.rebuild.held
        whole = not self.beyond and held.whole
        with postgres_errors(), self.pool.connection() as connection:
            connection.isolation_level = IsolationLevel.REPEATABLE_READ
            try:
                with connection.transaction():
                    connection.execute(statements.SET_TIMEOUTS, TIMEOUTS)
                    positions = self.within(connection)
                    found = difference(
                        connection,
                        self.names,
                        self.rebuild.live,
                        whole=whole,
                        most=most,
                        show_values=show_values,
                    )
            except BaseException:
                self.again()
                raise
            finally:
                if not connection.closed:
                    connection.isolation_level = None
        self.folding.positions = positions
        return found

    def within(self, connection: Connection[Any]) -> dict[int, Any]:
        """Fold exactly up to the sinks' offsets as this transaction sees them.

        Raises:
            StoppedForSafety: There is only an archive, and sinks have written what it can't have; or they
                have begun anew with a partition.
        """
        if self.rebuild.held.alive:
            self._check_same_log(connection)
        else:
            self._check_unmoved(connection)
        self._aim(connection)
        return self.folding.within(connection, self._reading)

    def _check_same_log(self, connection: Connection[Any]) -> None:
        held = self.rebuild.held
        wanted = {"group": self.rebuild.group, "topic": held.topic, "topic_id": held.topic_id}
        found = connection.execute(statements.FIND_BEGUN_ANEW.format(**self.names), wanted).fetchone()
        if found is not None:
            raise StoppedForSafety(
                f"sinks have begun anew with partition {found[0]} since the rebuild began, as its topic was "
                "recreated or its log cut: cancel the rebuild, and begin anew"
            )

    def _check_unmoved(self, connection: Connection[Any]) -> None:
        wanted = {"group": self.rebuild.group, "topic": self.rebuild.held.topic}
        row = connection.execute(statements.HAVE_SINKS_MOVED.format(**self.names), wanted).fetchone()
        if row is None or row[0]:
            raise StoppedForSafety(
                "sinks have written since the rebuild began, and the archive has nothing of the topic that "
                "they read: stop them, cancel the rebuild, and begin anew"
            )
