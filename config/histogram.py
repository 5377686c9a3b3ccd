"""A histogram that counts a whole batch at once.

prometheus-client's own takes a lock per observation, 1 to 2 µs; at 50,000 events a second and several
stages that is felt. Sorting a batch of ages and counting by bisection costs a tenth of it.
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from threading import Lock
from typing import Final

from prometheus_client import CollectorRegistry
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

_NOTED_AT_ONCE: Final = 256


class Series:
    """The observations under one set of label values; safe between threads."""

    def __init__(self, bounds: Sequence[float], lock: Lock) -> None:
        self._bounds, self._lock = bounds, lock
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        self._noted: list[float] = []

    def note(self, seconds: float) -> None:
        """Count one observation with others, later, but before anybody looks."""
        self._noted.append(seconds)
        if len(self._noted) >= _NOTED_AT_ONCE:
            self.observe(())

    def observe(self, observations: Iterable[float]) -> None:
        """Count a batch of observations in seconds, and what was noted; negative ones count as 0."""
        with self._lock:  # a scrape must not see a count without its sum
            noted = self._noted[:]
            del self._noted[: len(noted)]  # the list stays: another thread may be about to add to it
            ordered = sorted([*observations, *noted])
            below = [bisect_right(ordered, bound) for bound in self._bounds] + [len(ordered)]
            self._counts = [old + new for old, new in zip(self._counts, below, strict=True)]
            self._sum += sum(seconds for seconds in ordered if seconds > 0)

    def told(self) -> tuple[list[int], float]:
        """How many observations lie below each bound and in all, and their sum."""
        self.observe(())
        with self._lock:
            return self._counts, self._sum


class BatchHistogram(Collector):
    """Cumulative buckets per set of label values, fed by batches; safe between threads.

    Args:
        name: The metric's.
        text: Its help.
        labels: Names of its labels.
        buckets: Upper bounds in rising order, without infinity.
        registry: Where it is collected.
        shown: Sets of label values that are told from the start, with zeros.
    """

    def __init__(
        self,
        name: str,
        text: str,
        labels: tuple[str, ...],
        *,
        buckets: Sequence[float],
        registry: CollectorRegistry,
        shown: Iterable[tuple[str, ...]] = (),
    ) -> None:
        self.name, self.text, self.labelnames = name, text, labels
        self._bounds = tuple(buckets)
        self._lock = Lock()
        self._series: dict[tuple[str, ...], Series] = {}
        for values in shown:
            self.labels(*values)
        registry.register(self)

    def labels(self, *values: str) -> Series:
        """The observations under these label values, as many as there are labels."""
        if (found := self._series.get(values)) is None:
            if len(values) != len(self.labelnames):
                raise ValueError(f"{self.name} has the labels {self.labelnames}")
            found = self._series.setdefault(values, Series(self._bounds, self._lock))
        return found

    def collect(self) -> Iterable[HistogramMetricFamily]:
        """What the registry asks for at a scrape."""
        family = HistogramMetricFamily(self.name, self.text, labels=self.labelnames)
        bounds = [*(f"{bound:g}" for bound in self._bounds), "+Inf"]
        for values, series in list(self._series.items()):
            counts, total_s = series.told()
            family.add_metric(values, list(zip(bounds, map(float, counts), strict=True)), total_s)
        return [family]
