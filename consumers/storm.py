"""The guard against parking a whole log: too much poison at once is a mistake of ours or of a release.

Each dead letter is one record that somebody has to look at. Where more than half of the last records are
poison, nobody will; something else is wrong, and it is cheaper to stop than to send all of it again.
"""

from collections import Counter, deque

import structlog

from config import metrics
from config.errors import StoppedForSafety
from consumers.batch import Batch

log = structlog.get_logger()


class Storm:
    """Counts poison among the last records that are committed; used by the writing thread alone.

    Args:
        window: How many last records are judged, and only when there were so many.
        accepted: So many poison records are let pass first, and count as good ones.
    """

    def __init__(self, window: int, accepted: int = 0) -> None:
        self._window, self._accepted = window, accepted
        self._seen = 0
        self._poison: deque[int] = deque()
        """Numbers of the poison records among the last ones, counted from the first that was seen."""

    def check(self, batch: Batch) -> None:
        """See that going on over this batch is no storm, record by record, however it was cut.

        Raises:
            StoppedForSafety: After some record of it more than half of the last ones are poison.
        """
        if not batch.poison and 2 * len(self._poison) <= self._window:
            return
        poison, seen = self._poison.copy(), self._seen
        for number in self._numbers(batch):
            if number is None:
                seen += 1
            else:
                seen = number
                poison.append(number)
            while poison and poison[0] <= seen - self._window:
                poison.popleft()
            if seen >= self._window and 2 * len(poison) > self._window:
                raise self._stop(batch, len(poison))

    def settle(self, batch: Batch) -> None:
        """Take in a batch that is committed."""
        if batch.poison:
            self._poison.extend(number for number in self._numbers(batch) if number is not None)
            self._accepted = max(0, self._accepted - len(batch.poison))
        self._seen += len(batch.reads) + len(batch.poison)
        while self._poison and self._poison[0] <= self._seen - self._window:
            self._poison.popleft()
        metrics.SINK_STORM.set(len(self._poison) / self._window)

    def _numbers(self, batch: Batch) -> list[int | None]:
        """Of each record in the order of the log: its number if it is poison that counts."""
        places = [(read.partition, read.offset, False) for read in batch.reads]
        places += [(record.partition, record.offset, True) for record in batch.poison]
        accepted, numbers = self._accepted, list[int | None]()
        for number, (_, _, is_poison) in enumerate(sorted(places), start=self._seen + 1):
            counts = is_poison and accepted <= 0
            accepted -= is_poison
            numbers.append(number if counts else None)
        return numbers

    def _stop(self, batch: Batch, count: int) -> StoppedForSafety:
        first = min(batch.poison, key=lambda record: (record.partition, record.offset), default=None)
        place = f"partition {first.partition} offset {first.offset}" if first else "an earlier batch"
        reasons = dict(Counter(record.poison.reason for record in batch.poison))
        todo = "find out why first; to park them: session-relay sink --accept-poison N"
        log.error(
            "storm_of_poison", poison=count, window=self._window, reasons=reasons, first=place, todo=todo
        )
        return StoppedForSafety(
            f"{count} of the last {self._window} records can't be stored, from {place} on ({reasons}). This "
            f"batch was not parked and its offset has not moved: {todo}"
        )
