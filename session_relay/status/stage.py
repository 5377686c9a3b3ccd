"""The processes of one role at two looks: sums, greatest values, rates and percentiles over them."""

from collections.abc import Sequence
from math import isinf, isnan
from typing import Final

from session_relay.status.sidecars import Labels, Told

BREAKER: Final = {0: "closed", 1: "half-open", 2: "open"}
_SHARE: Final = 0.95


class Stage:
    """The processes of one role, at both looks."""

    def __init__(self, role: str, before: Sequence[Told], after: Sequence[Told]) -> None:
        self.after = [told for told in after if told.role == role]
        self._before = {told.url: told for told in before if told.role == role}

    @property
    def over_s(self) -> float:
        """Seconds between the looks at one of them, the longest."""
        return max((self._over_s(told) for told in self.after), default=0.0)

    def rate(self, name: str, **labels: str) -> float:
        """By how much a counter rose a second, over all processes."""
        return sum(
            self._risen(told, name, labels) / over_s for told in self.after if (over_s := self._over_s(told))
        )

    def all(self, name: str, **labels: str) -> list[float]:
        """The values of now, without those that are not known."""
        return [value for told in self.after for value in told.values(name, **labels) if not isnan(value)]

    def sum(self, name: str, **labels: str) -> float:
        """Their sum."""
        return sum(self.all(name, **labels))

    def most(self, name: str) -> float:
        """The greatest of them, 0 where there is none."""
        return max(self.all(name), default=0.0)

    def breakers(self) -> dict[str, str]:
        """The worst state of each breaker by its name."""
        states: dict[str, float] = {}
        for labels, value in (pair for told in self.after for pair in told.samples.get("breaker_state", ())):
            states[labels["name"]] = max(value, states.get(labels["name"], 0))
        return {name: BREAKER.get(int(state), "unknown") for name, state in sorted(states.items())}

    def percentile(self, histogram: str, stage: str) -> float | None:
        """The 95th of what was observed between the looks; None where nothing was.

        Linear within a bucket, as Prometheus' `histogram_quantile` has it.
        """
        name = f"{histogram}_bucket"
        risen: dict[float, float] = {}
        for told in self.after:
            for labels, _ in told.samples.get(name, ()):
                if labels["stage"] == stage:
                    bound = float(labels["le"])
                    risen[bound] = risen.get(bound, 0) + self._risen(told, name, labels)
        total = max(risen.values(), default=0.0)
        lower, below = 0.0, 0.0
        for bound, count in sorted(risen.items()):
            if total and count >= _SHARE * total:
                if isinf(bound):
                    return lower
                return lower + (bound - lower) * (_SHARE * total - below) / max(count - below, 1)
            lower, below = bound, count
        return None

    def _over_s(self, told: Told) -> float:
        before = self._before.get(told.url)
        return 0.0 if before is None else told.at_s - before.at_s

    def _risen(self, told: Told, name: str, labels: Labels) -> float:
        """A counter that is below its former value began anew with its process, at 0."""
        now = sum(told.values(name, **labels))
        before = self._before.get(told.url)
        former = sum(before.values(name, **labels)) if before is not None else 0.0
        return now - former if now >= former else now
