"""The fence and the sums: `consumer_offsets` within the transaction that applies a batch."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from psycopg import Connection

from consumers import statements
from consumers.batch import Span
from consumers.fates import Fenced
from consumers.outcome import Outcome
from consumers.positions import Position


def gaps_in(span: Span, position: Position) -> int:
    """Offsets that the table moves over without a record: holes in the log, and what it has lost."""
    begun = position.begin if position.row is None or position.restart else position.row.next_offset
    return span.end - begun - span.records


class Offsets:
    """Statements on one group's rows for one topic."""

    def __init__(self, topic: str, group: str) -> None:
        self._of = {"group": group, "topic": topic}

    def fence(self, connection: Connection[Any], positions: Mapping[int, Position]) -> None:
        """Lock these partitions' rows, if each is exactly where this member left it.

        Raises:
            Fenced: One is not; whoever moved it owns the partition now.
        """
        new = {p: at for p, at in sorted(positions.items()) if at.row is None}
        known = {p: at.row for p, at in sorted(positions.items()) if at.row is not None}
        fenced = 0
        if new:
            wanted = {
                "partitions": list(new),
                "topic_ids": [at.topic_id for at in new.values()],
                "first_offsets": [at.first for at in new.values()],
            }
            fenced += connection.execute(statements.INSERT_OFFSETS, self._of | wanted).rowcount
        if known:
            wanted = {
                "partitions": list(known),
                "topic_ids": [row.topic_id for row in known.values()],
                "next_offsets": [row.next_offset for row in known.values()],
            }
            fenced += connection.execute(statements.FENCE_OFFSETS, self._of | wanted).rowcount
        if fenced != len(positions):
            raise Fenced(f"{len(positions) - fenced} partitions were moved on by somebody else")

    def advance(
        self,
        connection: Connection[Any],
        spans: Mapping[int, Span],
        positions: Mapping[int, Position],
        tally: Mapping[int, Counter[Outcome]],
    ) -> None:
        """Move the fenced rows to the spans' ends and add what became of their records."""
        at = [positions[partition] for partition in spans]
        sums = {outcome.value: [tally[partition][outcome] for partition in spans] for outcome in Outcome}
        wanted = {
            "partitions": list(spans),
            "topic_ids": [position.topic_id for position in at],
            "next_offsets": [span.end for span in spans.values()],
            "first_offsets": [position.first for position in at],
            "restarts": [position.restart for position in at],
            "gaps": [gaps_in(span, positions[partition]) for partition, span in spans.items()],
        }
        connection.execute(statements.ADVANCE_OFFSETS, self._of | wanted | sums)
