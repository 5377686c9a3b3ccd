"""Lag by partition: the log's end as librdkafka saw it, less what Postgres has committed."""

from collections.abc import Mapping
from typing import Any

from config import metrics


class Lag:
    """Keeps the last high watermarks; the polling thread tells them, the sidecar's thread sets the gauges.

    Args:
        topic: The topic.
        committed: Next offset by partition as the table holds it, of the partitions of this member.
    """

    def __init__(self, topic: str, committed: Mapping[int, int]) -> None:
        self._topic, self._committed = topic, committed
        self._ends: Mapping[int, int] = {}
        self._shown: set[int] = set()

    def read(self, statistics: Mapping[str, Any]) -> None:
        """Take the ends from librdkafka's statistics (`hi_offset`; negative where it knows none yet)."""
        partitions = statistics["topics"].get(self._topic, {"partitions": {}})["partitions"]
        self._ends = {int(number): told["hi_offset"] for number, told in partitions.items()}

    def sample(self) -> None:
        """Set `sink_lag_records`; partitions that were given up vanish."""
        committed = dict(self._committed)
        for partition, offset in committed.items():
            end = self._ends.get(partition, -1)
            if end >= 0:
                self._shown.add(partition)
                metrics.SINK_LAG.labels(self._topic, str(partition)).set(max(0, end - offset))
        for partition in self._shown - committed.keys():
            metrics.SINK_LAG.remove(self._topic, str(partition))
            self._shown.discard(partition)
