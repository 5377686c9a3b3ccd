"""How old events are when they are committed: of those that the objective counts.

It is about events on their way, and some go it again with the time of their first receipt: what an operator
has sent again, and what is read again because a backup of Postgres was put back or a log was cut. Only late
records are looked at, and nearly always there is none.
"""

from collections.abc import Iterable, Mapping
from typing import Final

from confluent_kafka import TIMESTAMP_NOT_AVAILABLE

from config import metrics
from consumers.batch import Batch, Read
from consumers.dead_letters import REDRIVES
from schemas.event import MICROSECONDS

LATE_S: Final = 60.0
"""The objective's bound, which is a bucket's too: see config/prometheus/rules/objectives.yml."""
_PUBLISHED_WITHIN_US: Final = MICROSECONDS
"""A relay's own time for a record, unless Kafka was away; no dead letter is sent again so soon."""


class Ages:
    """Knows what was committed before; used by the polling thread alone, so that no batch waits for it."""

    def __init__(self) -> None:
        self._known: dict[int, int] = {}

    def forget(self, partitions: Iterable[int]) -> None:
        """Forget what was known of partitions that are placed anew: they may go on before where they were."""
        for partition in partitions:
            self._known.pop(partition, None)

    def know(self, committed_before: Mapping[int, int]) -> None:
        """Hear how far partitions had been committed: after they were placed, before any batch of theirs."""
        self._known.update(committed_before)

    def observe(self, batch: Batch, committed_us: int) -> None:
        """Count the ages that a batch's events had at its COMMIT."""
        ages_s = [(committed_us - read.received_us) / MICROSECONDS for read in batch.reads]
        if ages_s and max(ages_s) > LATE_S:
            aged = zip(ages_s, batch.reads, strict=True)
            ages_s = [age_s for age_s, read in aged if age_s <= LATE_S or not self._goes_again(read)]
        metrics.EVENT_AGE.labels("committed").observe(ages_s)

    def _goes_again(self, read: Read) -> bool:
        if read.offset < self._known.get(read.partition, 0):
            return True
        kind, published_ms = read.message.timestamp()
        if kind != TIMESTAMP_NOT_AVAILABLE and published_ms * 1_000 - read.received_us < _PUBLISHED_WITHIN_US:
            return False  # asking for headers takes ten times as long, and behind an outage all are late
        return any(name == REDRIVES for name, _ in read.headers)
