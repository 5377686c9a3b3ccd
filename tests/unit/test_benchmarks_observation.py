"""What being observed costs, as the results tell it."""

import pytest

from benchmarks.figures import Series, below_floor
from benchmarks.observation_rounds import told_of_observation
from benchmarks.results import rows


def measured(*cpu_s: float) -> dict[str, Series]:
    return {"rate": Series.of([1.0] * len(cpu_s)), "cpu_s": Series.of(cpu_s)}


@pytest.mark.parametrize(
    ("observed", "slow"), [(1.05, []), (1.07, ["observation.sink.ratio is 1.07, above 1.05"])]
)
def test_the_ratio_is_the_median_of_the_pairs(observed: float, slow: list[str]) -> None:
    """A machine that was slow for one whole pair does not count."""
    told = told_of_observation(
        {
            "sink, observed": measured(observed, 2 * observed, 9.0),
            "sink, alone": measured(1.0, 2.0, 1.0),
            "relay, observed": measured(8.0, 8.0, 8.0),
            "relay, alone": measured(8.0, 8.0, 8.0),
        }
    )
    sink = told["observation"]["sink"]
    assert (sink["ratio"], sink["ratio_range"]) == (observed, (observed, 9.0))
    assert below_floor(told) == slow
    assert [row[0] for row in rows(told)] == [
        "sink, observed and not: CPU seconds per 100,000 events",
        "relay, observed and not: CPU seconds per 100,000 events",
    ]
