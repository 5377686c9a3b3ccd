"""Batches straight into a real Postgres, without a consumer: what is applied, parked and refused.

Each is staged ahead of its turn, as far as there is time for it.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from psycopg import Connection
from psycopg_pool import ConnectionPool

from config.clock import SystemClock
from consumers import statements
from consumers.ahead import Ahead
from consumers.apply import Apply
from consumers.batch import Batch, Span
from consumers.dead_letters import DeadLetters
from consumers.isolate import Isolate
from consumers.offsets import Offsets
from consumers.pieces import Pace
from consumers.positions import Position, Row
from consumers.storm import Storm
from consumers.write import Tally, Write
from schemas.event import SessionEvent
from tests.events import Key
from tests.eventually import PATIENCE_S
from tests.reads import TOPIC_ID, read

BATCH_ROWS = 20_000


class Applying:
    """One partition of one group, from offset 0 on."""

    def __init__(self, pool: ConnectionPool, kafka: str, topic: str, timeout_s: float) -> None:
        timeouts = statements.timeouts(statement_timeout_s=timeout_s, lock_timeout_s=timeout_s / 2)
        self.pool, self.next = pool, 0
        self.ahead = Ahead(pool, timeouts)
        self.apply = Apply(
            write=Write(pool, Offsets("topic", "group"), timeouts, self.ahead),
            isolate=Isolate(pool, timeouts),
            dead_letters=DeadLetters(
                {"bootstrap.servers": kafka},
                topic=f"{topic}.dlq",
                origin_topic=topic,
                clock=SystemClock(),
            ),
            storm=Storm(1_000, accepted=1_000_000),
            pace=Pace(BATCH_ROWS),
        )
        self.settled: list[int] = []
        """Rows of each transaction."""
        self.at_settled: Callable[[], object] = lambda: None
        """Called after each of them."""
        self.parked: set[int] = set()
        """Offsets of the records that were set aside."""
        self._row: Row | None = None

    def begin_anew(self) -> None:
        """Empty the tables, and begin with offset 0 again."""
        self.query("TRUNCATE sessions, consumer_offsets")
        self.next, self._row = 0, None
        self.settled.clear()
        self.parked.clear()

    def batch(self, events: Sequence[SessionEvent]) -> Batch:
        """These events as the next records of the log."""
        begin = self.next
        self.next += len(events)
        reads = [read(event, offset) for offset, event in enumerate(events, begin)]
        return Batch(spans={0: Span(begin, self.next, len(events))}, reads=reads)

    def __call__(self, events: Sequence[SessionEvent]) -> dict[str, int]:
        """Apply them as one batch; returns the sums of all outcomes so far."""
        batch = self.batch(events)
        begin = batch.spans[0].begin
        positions = {0: Position(topic_id=TOPIC_ID, row=self._row, begin=begin, first=0)}

        def settle(piece: Batch, _: Tally) -> None:
            end = piece.spans[0].end
            self.settled.append(piece.rows)
            self.parked |= {record.offset for record in piece.poison}
            self._row = Row(TOPIC_ID, end)
            positions[0] = Position(topic_id=TOPIC_ID, row=self._row, begin=end, first=0)
            self.at_settled()

        self.ahead.begin(batch)
        try:
            self.apply(batch, positions, settle)
        finally:
            self.ahead.drop(batch)
        return self.sums()

    def sums(self) -> dict[str, int]:
        """Outcomes as the table has them, those that are not 0; they add up."""
        names = ("written", "duplicate", "stale", "passed", "parked")
        found = self.query(f"SELECT next_offset, {', '.join(names)} FROM consumer_offsets")
        next_offset, *sums = found[0] if found else (0, *(0 for _ in names))
        assert next_offset == sum(sums)
        return {name: count for name, count in zip(names, sums, strict=True) if count}

    def query(self, statement: str) -> list[Any]:
        """Ask the database, or tell it something."""
        with self.pool.connection() as connection:
            cursor = connection.execute(statement.encode())
            return cursor.fetchall() if cursor.description else []

    def count_upserts(self) -> None:
        """From now on, count every upsert, those included that are rolled back."""
        self.query("CREATE SEQUENCE upserts")
        self.query(
            "CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS"
            " $$ BEGIN PERFORM nextval('upserts'); RETURN NULL; END $$"
        )
        self.query(
            "CREATE TRIGGER noted BEFORE INSERT ON sessions FOR EACH STATEMENT EXECUTE FUNCTION note()"
        )

    def upserts(self) -> int:
        """How many there were."""
        return int(self.query("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM upserts")[0][0])


@contextmanager
def applying(database_url: str, kafka: str, topic: str, *, timeout_s: float = 30) -> Iterator[Applying]:
    """Apply batches to this database, with this time-out of statements."""

    def prepare(connection: Connection[Any]) -> None:
        connection.execute(statements.CREATE_STAGE)
        connection.commit()

    quick = {"options": "-c synchronous_commit=off"}  # nothing here outlives its server
    # made whole beforehand: to make a connection the pool draws from `random`, in a thread of its own,
    # and Hypothesis objects to whoever does so while it draws
    with ConnectionPool(
        database_url, min_size=3, max_size=3, kwargs=quick, configure=prepare, open=True
    ) as pool:
        pool.wait()
        made_here = Applying(pool, kafka, topic, timeout_s)
        made_here.ahead.start()
        yield made_here
        made_here.ahead.end()
        made_here.ahead.join(PATIENCE_S)


def states(of: Applying) -> dict[Key, tuple[str, list[str]]]:
    """Winner and remembered ids by tenant, source and session."""
    told = of.query(
        "SELECT tenant, source, session_id, event_id::text, applied_event_ids::text[] FROM sessions"
    )
    return {(tenant, source, session): (winner, ids) for tenant, source, session, winner, ids in told}


def rows(of: Applying) -> dict[str, tuple[str, list[str]]]:
    """Winner and remembered ids by session."""
    told = of.query("SELECT session_id, event_id::text, applied_event_ids::text[] FROM sessions")
    return {session: (winner, ids) for session, winner, ids in told}
