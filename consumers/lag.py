"""Lag by partition: the log's end, less what Postgres has committed.

librdkafka hears of the end with what it fetches: of partitions that are paused, as they are while Postgres is
away, its statistics tell the end of before. So Kafka is asked as well.
"""

from collections.abc import Callable, Collection, Mapping
from typing import Any

from config import metrics


class Lag:
    """Keeps the last high watermarks; the polling thread tells them, the sidecar's thread sets the gauges.

    Args:
        topic: The topic.
        committed: Next offset by partition as the table holds it, of the partitions of this member.
        ask: Tells the ends of partitions, of those for which it can; in the sidecar's thread.
    """

    def __init__(
        self,
        topic: str,
        committed: Mapping[int, int],
        ask: Callable[[Collection[int]], Mapping[int, int]] = lambda _: {},
    ) -> None:
        self._topic, self._committed, self._ask = topic, committed, ask
        self._ends: Mapping[int, int] = {}
        self._told: dict[int, int] = {}
        self._shown: set[int] = set()

    def read(self, statistics: Mapping[str, Any]) -> None:
        """Take the ends from librdkafka's statistics (`hi_offset`; negative where it knows none yet)."""
        partitions = statistics["topics"].get(self._topic, {"partitions": {}})["partitions"]
        self._ends = {int(number): told["hi_offset"] for number, told in partitions.items()}

    def sample(self) -> None:
        """Set `sink_lag_records`; partitions that were given up vanish."""
        asked = tuple(self._committed)
        now = self._ask(asked) if asked else {}
        committed = dict(self._committed)  # after its end, so that what was written meanwhile is no lag
        told = {**self._told, **now}
        self._told = {partition: end for partition, end in told.items() if partition in committed}
        for partition, offset in committed.items():
            known = max(self._ends.get(partition, -1), self._told.get(partition, -1))
            end = now.get(partition, known)
            if end >= 0:
                self._shown.add(partition)
                metrics.SINK_LAG.labels(self._topic, str(partition)).set(max(0, end - offset))
        for partition in self._shown - committed.keys():
            metrics.SINK_LAG.remove(self._topic, str(partition))
            self._shown.discard(partition)
