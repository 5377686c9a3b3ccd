"""The sink's process from its start to the last row of a topic that was filled beforehand."""

import time
from typing import Any, Final, NamedTuple

import psycopg

from benchmarks.stand import Place, Stand, Usage
from config.errors import RelayError, Unavailable
from session_relay.up.roles import Role

_LOOK_EVERY_S: Final = 0.02
_STALLED_S: Final = 60.0
_APPLIED: Final = "SELECT coalesce(sum(next_offset - first_offset), 0)::bigint FROM consumer_offsets"
_STORED: Final = """
    SELECT (SELECT count(*) FROM sessions),
           sum(written)::bigint,
           sum(next_offset - first_offset - gaps)::bigint
    FROM consumer_offsets
"""


class SinkRun(NamedTuple):
    """One run; seconds count from the start of the process."""

    rows: int
    seconds: float
    first_commit_s: float
    """When the first batch was seen in the table; what is before it is mostly start-up."""
    first_rows: int
    cpu_s: float
    peak_mib: float

    def figures(self) -> dict[str, float]:
        """Rates in rows a second, with start-up and without; 0 if the first look saw all rows at once."""
        span_s = self.seconds - self.first_commit_s
        return {
            "rate": self.rows / self.seconds,
            "rate_from_first_commit": (self.rows - self.first_rows) / span_s if span_s else 0.0,
            "first_commit_s": self.first_commit_s,
            "cpu_s": self.cpu_s,
            "peak_mib": self.peak_mib,
        }


def run_sink(stand: Stand, place: Place, count: int, group: str) -> SinkRun:
    """Start a sink in a new group on empty tables, wait for the last row, check them, end it.

    Raises:
        RelayError: The tables do not hold each of the `count` events exactly once.
        Unavailable: Nothing moved for a minute.
    """
    with psycopg.connect(place.database_url, autocommit=True) as connection:
        begun_s = time.perf_counter()
        with stand.role("sink", place, SINK__GROUP_ID=group) as role:
            usage = Usage(role.pid)
            first_s, first_rows = _wait(connection, role, 1, begun_s)
            last_s, _ = _wait(connection, role, count, begun_s)
            run = SinkRun(count, last_s, first_s, first_rows, usage.cpu_s(), usage.peak_mib())
            stored = connection.execute(_STORED).fetchone()
            if stored != (count, count, count):
                raise RelayError(
                    f"Rows, written and applied are {stored}, not {count} each; see the sink's log."
                )
    return run


def _wait(connection: psycopg.Connection[Any], role: Role, rows: int, begun_s: float) -> tuple[float, int]:
    """Wait until so many records are applied; when that was seen, and how many they were then."""
    before, moved_s = 0, time.perf_counter()
    while True:
        row = connection.execute(_APPLIED).fetchone()
        now_s = time.perf_counter()
        applied = row[0] if row else 0
        if applied >= rows:
            return now_s - begun_s, applied
        role.check()
        if applied != before:
            before, moved_s = applied, now_s
        elif now_s - moved_s > _STALLED_S:
            raise Unavailable(f"The sink has stood at {applied} of {rows} rows for {_STALLED_S:g} s.")
        time.sleep(_LOOK_EVERY_S)
