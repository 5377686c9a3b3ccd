"""How old events are when they are committed: of those that the objective counts.

It is about events on their way, and some go it again with the time of their first receipt: what an operator
has sent again, and what is read again because a backup of Postgres was put back or a log was cut. Only late
records are looked at, and nearly always there is none.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Final

from config import metrics
from config.clock import Clock
from consumers.batch import Batch, Read
from consumers.dead_letters import REDRIVES
from consumers.positions import Position
from schemas.event import MICROSECONDS

LATE_S: Final = 60.0
"""The objective's bound, which is a bucket's too: see config/prometheus/rules/objectives.yml."""


class Ages:
    """Knows what was committed before; used by the writing thread alone.

    Args:
        committed_before: Tells up to which offset this group had committed partitions; those that it can.
        clock: For the time of a commit.
    """

    def __init__(
        self, committed_before: Callable[[Collection[int]], Mapping[int, int]], clock: Clock
    ) -> None:
        self._committed_before, self._clock = committed_before, clock
        self._unasked: set[int] = set()
        self._known: dict[int, int] = {}

    def placed(self, partitions: Iterable[int]) -> None:
        """Forget what was known of these partitions: they may go on before where they were."""
        for partition in partitions:
            self._unasked.add(partition)
            self._known.pop(partition, None)

    def observe(self, batch: Batch, positions: Mapping[int, Position]) -> None:
        """Count the ages of a batch's events, after COMMIT; to be called before its partitions move on.

        Args:
            batch: What was committed.
            positions: Where its partitions stood before.
        """
        now_us = self._clock.now_us()
        ages_s = [(now_us - read.received_us) / MICROSECONDS for read in batch.reads]
        if ages_s and max(ages_s) > LATE_S:
            self._ask(batch.spans.keys() & self._unasked, positions)
            aged = zip(ages_s, batch.reads, strict=True)
            ages_s = [age_s for age_s, read in aged if age_s <= LATE_S or not self._goes_again(read)]
        self._unasked.difference_update(batch.spans)
        metrics.EVENT_AGE.labels("committed").observe(ages_s)

    def read_before(self, batch: Batch) -> Mapping[int, int]:
        """Where what is read again ends, of the batch's partitions that have not come so far yet."""
        return {p: end for p, span in batch.spans.items() if (end := self._known.get(p, 0)) > span.end}

    def _ask(self, partitions: Collection[int], positions: Mapping[int, Position]) -> None:
        """Ask at the first batch after a partition was placed: what is read again begins with the oldest.

        Later Kafka would tell what was committed since. A topic that was recreated has new records.
        """
        asked = [
            p
            for p in partitions
            if (row := positions[p].row) is None or row.topic_id == positions[p].topic_id
        ]
        if asked:
            self._known.update(self._committed_before(asked))

    def _goes_again(self, read: Read) -> bool:
        if read.offset < self._known.get(read.partition, 0):
            return True
        return any(name == REDRIVES for name, _ in read.headers)
