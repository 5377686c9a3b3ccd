"""Medians, ratios, and when a measurement says nothing; pure."""

from collections.abc import Sequence
from statistics import median
from typing import Any, Final, NamedTuple

LEAST_LIMIT_CORES: Final = 0.9
"""A server that answers at once and is not busy shows that the load generator was the limit."""
FLOORS: Final = {
    "sink.ratio": 0.6,
    "sink.ratio_plain": 0.5,
    "relay.ratio": 0.25,
    "rebuild.ratio": 1.0,
    "replay.ratio": 0.8,
}
CEILINGS: Final = {"first_ms": 3_000, "p99_ms": 100}
"""Of `spool.recovery`: what senders may wait for while Kafka is away."""
OBSERVED: Final = 1.05
"""CPU of a role that is observed, by that of one that is not."""


class Series(NamedTuple):
    """One figure of every round."""

    values: tuple[float, ...]

    @classmethod
    def of(cls, values: Sequence[float]) -> "Series":
        """The series of these values, one a round."""
        return cls(tuple(values))

    @property
    def median(self) -> float:
        """The middle one: a single disturbed round does not move it."""
        return median(self.values)

    def told(self, digits: int = 0) -> dict[str, float]:
        """Median, least and greatest, rounded."""
        figures = {"median": self.median, "min": min(self.values), "max": max(self.values)}
        return {name: rounded(value, digits) for name, value in figures.items()}


def rounded(value: float, digits: int) -> float:
    """Round, to an integer where no digits are wanted."""
    return round(value, digits) if digits else round(value)


def ratio(part: Series, whole: Series) -> float:
    """Median by median, so that anybody can check it against the printed rates."""
    return round(part.median / whole.median, 3)


def ratio_range(part: Series, whole: Series) -> tuple[float, float]:
    """The least and the greatest ratio of any one round; the rounds of both are side by side in time."""
    ratios = [one / other for one, other in zip(part.values, whole.values, strict=True)]
    return round(min(ratios), 3), round(max(ratios), 3)


def problems_of_relay(
    *, limit_cores: float, refused: int, broken: int, answers: int, records: int
) -> list[str]:
    """Say why a measurement of the relay is invalid; empty when it is not.

    Args:
        limit_cores: CPU cores that the server used when it answered at once.
        refused: Answers that were not 2xx.
        broken: Errors of sockets and time-outs, as the load generator counts them.
        answers: 2xx that the load generator counted.
        records: What the topic holds of it.
    """
    found = []
    if limit_cores < LEAST_LIMIT_CORES:
        found.append(
            f"the load generator was the limit: the server that answers at once used {limit_cores:.2f} cores"
        )
    if refused:
        found.append(f"{refused} answers were not 2xx")
    if broken:
        found.append(f"{broken} requests broke off")
    if records < answers:
        found.append(f"{answers} answers, but only {records} records in the topic")
    return found


def problems_of_spool(*, refused: int, broken: int, answers: int, records: int) -> list[str]:
    """Say why a measurement of the spool is invalid; empty when it is not. The arguments are the relay's."""
    return problems_of_relay(
        limit_cores=LEAST_LIMIT_CORES, refused=refused, broken=broken, answers=answers, records=records
    )


def below_floor(results: dict[str, Any]) -> list[str]:
    """Name what is worse than this project promises; what was not measured is left out."""
    found = []
    for name, floor in FLOORS.items():
        part, _, key = name.partition(".")
        value = results.get(part, {}).get(key)
        if value is not None and value < floor:
            found.append(f"{name} is {value}, below {floor}")
    for role, told in results.get("observation", {}).items():
        if told["ratio"] > OBSERVED:
            found.append(f"observation.{role}.ratio is {told['ratio']}, above {OBSERVED}")
    recovery = results.get("spool", {}).get("recovery", {})
    for name, ceiling in CEILINGS.items():
        if name in recovery and (value := recovery[name]["median"]) > ceiling:
            found.append(f"spool.recovery.{name} is {value}, above {ceiling}")
    return found
