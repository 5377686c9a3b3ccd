import pytest

from benchmarks.figures import Series, below_floor, problems_of_relay, ratio, ratio_range
from benchmarks.rounds import Figures, take_turns

GOOD = {"limit_cores": 1.0, "refused": 0, "broken": 0, "answers": 100, "records": 104}


def test_one_disturbed_round_does_not_move_the_median() -> None:
    assert Series.of([61_900.4, 62_100.4, 3.0]).told() == {"median": 61_900, "min": 3, "max": 62_100}
    assert Series.of([1.234, 9.0, 1.236]).told(2) == {"median": 1.24, "min": 1.23, "max": 9.0}


def test_the_ratio_is_median_by_median_and_its_range_round_by_round() -> None:
    part, whole = Series.of([50, 60, 70]), Series.of([100, 80, 100])
    assert ratio(part, whole) == 0.6
    assert ratio_range(part, whole) == (0.5, 0.75)


@pytest.mark.parametrize(
    ("found", "words"),
    [
        ({"limit_cores": 0.89}, "the load generator was the limit"),
        ({"refused": 3}, "3 answers were not 2xx"),
        ({"broken": 2}, "2 requests broke off"),
        ({"records": 99}, "100 answers, but only 99 records"),
    ],
)
def test_what_makes_a_measurement_of_the_relay_invalid(found: dict[str, float], words: str) -> None:
    (problem,) = problems_of_relay(**(GOOD | found))  # type: ignore[arg-type]  # floats and integers mixed
    assert words in problem


def test_records_of_requests_that_were_still_under_way_are_no_problem() -> None:
    assert problems_of_relay(**(GOOD | {"limit_cores": 0.9})) == []  # type: ignore[arg-type]  # likewise


def test_only_ratios_that_were_measured_can_be_below_their_floor() -> None:
    assert below_floor({"sink": {"ratio": 0.6, "ratio_plain": 0.5}}) == []
    assert below_floor({"relay": {"ratio": 0.249}}) == ["relay.ratio is 0.249, below 0.25"]


def test_steps_take_turns_and_every_second_round_goes_backwards() -> None:
    order: list[str] = []

    def step(name: str) -> Figures:
        order.append(name)
        return {"rate": float(len(order))}

    told = take_turns({"a": lambda: step("a"), "b": lambda: step("b")}, 3, lambda _: None)
    assert order == ["a", "b", "b", "a", "a", "b"]
    assert told == {"a": {"rate": Series((1.0, 4.0, 5.0))}, "b": {"rate": Series((2.0, 3.0, 6.0))}}


def test_waiting_for_longer_than_is_promised_is_told() -> None:
    def told(first_ms: float, p99_ms: float) -> list[str]:
        recovery = {"first_ms": {"median": first_ms}, "p99_ms": {"median": p99_ms}}
        return below_floor({"spool": {"recovery": recovery}})

    assert told(3_000, 100) == []
    assert told(3_001, 101) == [
        "spool.recovery.first_ms is 3001, above 3000",
        "spool.recovery.p99_ms is 101, above 100",
    ]
