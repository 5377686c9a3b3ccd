"""A history of every row, kept by triggers of the tests' own: what went wrong for a moment is seen too."""

from pathlib import Path
from typing import Any

import psycopg

ADVANCED = "advanced"
"""The channel on which each COMMIT of the sink is told: topic, partition, next offset, parted by spaces."""
_INSTALL = Path(__file__).with_suffix(".sql").read_bytes()
_REGRESSED = """
SELECT count(*) FROM (
    SELECT (rank, sequence, occurred_at, received_at, normaliser, event_id) AS state,
           lag((rank, sequence, occurred_at, received_at, normaliser, event_id))
               OVER (PARTITION BY tenant, source, session_id ORDER BY number) AS before
    FROM session_history
) AS steps
WHERE state <= before
"""
_OFFSETS_WENT_BACK = """
SELECT count(*) FROM (
    SELECT next_offset, first_offset, topic_id,
           lag(next_offset) OVER same AS next_before,
           lag(first_offset) OVER same AS first_before,
           lag(topic_id) OVER same AS topic_before
    FROM offset_history
    WINDOW same AS (PARTITION BY consumer_group, topic, partition ORDER BY number)
) AS steps
WHERE topic_id = topic_before AND first_offset = first_before AND next_offset < next_before
"""


def install(database_url: str) -> None:
    """Begin to keep the history of this database's rows."""
    with psycopg.connect(database_url) as connection:
        connection.execute(_INSTALL)


def regressed(connection: psycopg.Connection[Any]) -> int:
    """How often a session's state was replaced by one that is not greater."""
    return _count(connection, _REGRESSED)


def offsets_went_back(connection: psycopg.Connection[Any]) -> int:
    """How often a partition's next offset fell; only where its log is cut or made anew may it do so."""
    return _count(connection, _OFFSETS_WENT_BACK)


def unbalanced(connection: psycopg.Connection[Any]) -> int:
    """After how many COMMITs the outcomes were not as many as the records advanced."""
    return _count(connection, "SELECT count(*) FROM offset_history WHERE outcomes <> advanced")


def counted_twice(connection: psycopg.Connection[Any]) -> int:
    """How many outcomes too many any partition ever had, summed over partitions."""
    return _count(
        connection,
        "SELECT coalesce(sum(most), 0)::bigint FROM (SELECT max(outcomes - advanced) AS most"
        " FROM offset_history GROUP BY consumer_group, topic, partition) AS each WHERE most > 0",
    )


def _count(connection: psycopg.Connection[Any], question: str) -> int:
    row = connection.execute(question.encode()).fetchone()
    assert row is not None
    return int(row[0])
