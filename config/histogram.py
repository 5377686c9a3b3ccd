"""A histogram that takes a whole batch at once.

prometheus-client's own takes a lock per observation, 1 to 2 µs; at 50,000 events a second and several
stages that is felt. Sorting a batch of ages and counting by bisection costs a tenth of it.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from threading import Lock

from prometheus_client import CollectorRegistry
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector


class BatchHistogram(Collector):
    """Cumulative buckets per value of one label, fed by sorted batches; safe between threads."""

    def __init__(
        self,
        name: str,
        text: str,
        label: tuple[str, tuple[str, ...]],
        buckets: Sequence[float],
        registry: CollectorRegistry,
    ) -> None:
        self._name, self._text, self._label = name, text, label[0]
        self._bounds = tuple(buckets)
        self._lock = Lock()  # a scrape must not see a count without its sum
        self._counts = {value: [0] * (len(buckets) + 1) for value in label[1]}
        self._sums = dict.fromkeys(label[1], 0.0)
        registry.register(self)

    def observe(self, value: str, observations: Iterable[float]) -> None:
        """Count a batch of observations in seconds under one label value; negative ones count as 0."""
        ordered = sorted(observations)
        below = [bisect_right(ordered, bound) for bound in self._bounds] + [len(ordered)]
        with self._lock:
            self._counts[value] = [old + new for old, new in zip(self._counts[value], below, strict=True)]
            self._sums[value] += sum(seconds for seconds in ordered if seconds > 0)

    def collect(self) -> Iterable[HistogramMetricFamily]:
        """What the registry asks for at a scrape."""
        family = HistogramMetricFamily(self._name, self._text, labels=[self._label])
        bounds = [*(f"{bound:g}" for bound in self._bounds), "+Inf"]
        with self._lock:
            for value, counts in self._counts.items():
                buckets = list(zip(bounds, map(float, counts), strict=True))
                family.add_metric([value], buckets, self._sums[value])
        return [family]
