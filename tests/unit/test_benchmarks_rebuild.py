from benchmarks import results
from benchmarks.figures import Series, below_floor
from benchmarks.rebuild_rounds import told_of_rebuild


def series(*rates: float) -> dict[str, Series]:
    return {"rate": Series.of(rates)}


def test_ratios_stand_where_they_are_looked_for_and_are_held_against_their_aims() -> None:
    told = told_of_rebuild(
        {
            "sink, again": series(30_000, 40_000, 50_000),
            "rebuild": series(20_000, 36_000, 60_000),
            "rebuild, 2 processes": series(30_000, 54_000, 60_000),
            "bare loop": series(60_000, 50_000, 70_000),
            "replay to a topic": series(55_000, 54_000, 56_000),
        },
        count=150_000,
    )
    assert (told["rebuild"]["ratio"], told["rebuild"]["ratio_range"]) == (0.9, (0.667, 1.2))
    assert told["rebuild"]["two_processes_ratio"] == 1.5
    assert told["replay"]["ratio"] == 0.917
    assert below_floor(told) == ["rebuild.ratio is 0.9, below 1.0"]
    names = [row[0] for row in results.rows(told)]
    assert names == ["rebuild, against the sink (150,000)", "replay to a topic"]
