"""The sink's processes from their start to the last row of a topic that was filled beforehand."""

import re
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from typing import Any, Final, NamedTuple

import httpx
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
    stages_s: Mapping[str, float]
    """Seconds that the first process spent in each stage of its batches; decode is beside the others.

    Only its sidecar tells: without one there are none.
    """

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


class Stored(NamedTuple):
    """What a run leaves in the table."""

    share: float
    """Of the events, those that are written: all but the repeats."""
    before: int = 0
    """Rows of other sessions that were there before."""


WHOLE: Final = Stored(1.0)


def run_sink(
    stand: Stand,
    place: Place,
    count: int,
    group: str,
    *,
    processes: int = 1,
    stored: Stored = WHOLE,
    settings: Mapping[str, str] | None = None,
) -> SinkRun:
    """Start sinks in a new group, wait for the last row, check the tables, end them.

    Args:
        stand: Where.
        place: The topic, and tables without these sessions, or with older states of them.
        count: Events of the topic.
        group: Of which nobody was a member yet.
        processes: How many sinks; CPU and memory are of all.
        stored: What the tables hold afterwards.
        settings: Of the sinks.

    Raises:
        RelayError: The tables do not hold each of the `count` events exactly once.
        Unavailable: Nothing moved for a minute.
    """
    with psycopg.connect(place.database_url, autocommit=True) as connection, ExitStack() as stack:
        begun_s = time.perf_counter()
        roles = [
            stack.enter_context(stand.role("sink", place, SINK__GROUP_ID=group, **(settings or {})))
            for _ in range(processes)
        ]
        usages = [Usage(role.pid) for role in roles]
        first_s, first_rows = _wait(connection, roles, 1, begun_s)
        last_s, _ = _wait(connection, roles, count, begun_s)
        observed = (settings or {}).get("METRICS__ENABLED") != "false"
        stages_s = _stages_s(roles[0].wait_url("sidecar_started")) if observed else {}
        cpu_s, peak_mib = sum(one.cpu_s() for one in usages), sum(one.peak_mib() for one in usages)
        written = round(count * stored.share)
        found = connection.execute(_STORED).fetchone()
        if found != (expected := (stored.before + written, written, count)):
            raise RelayError(f"Rows, written and applied are {found}, not {expected}; see the sink's log.")
    return SinkRun(count, last_s, first_s, first_rows, cpu_s, peak_mib, stages_s)


def _stages_s(url: str) -> dict[str, float]:
    text = httpx.get(f"{url}/metrics", trust_env=False).text
    found = re.findall(r'^sink_batch_seconds_sum\{stage="(\w+)"\} (\S+)$', text, re.MULTILINE)
    return {stage: float(seconds) for stage, seconds in found}


def applied_by_now(connection: psycopg.Connection[Any]) -> int:
    """How many records the table has accounted for by now."""
    row = connection.execute(_APPLIED).fetchone()
    return row[0] if row else 0


def _wait(
    connection: psycopg.Connection[Any], roles: Sequence[Role], rows: int, begun_s: float
) -> tuple[float, int]:
    """Wait until so many records are applied; when that was seen, and how many they were then."""
    before, moved_s = 0, time.perf_counter()
    while True:
        applied = applied_by_now(connection)
        now_s = time.perf_counter()
        if applied >= rows:
            return now_s - begun_s, applied
        for role in roles:
            role.check()
        if applied != before:
            before, moved_s = applied, now_s
        elif now_s - moved_s > _STALLED_S:
            raise Unavailable(f"The sink has stood at {applied} of {rows} rows for {_STALLED_S:g} s.")
        time.sleep(_LOOK_EVERY_S)
