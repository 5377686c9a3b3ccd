"""A night's figures, counted by hand."""

from session_relay.simulate.figures import figures_of


def test_a_small_night_is_counted_as_by_hand() -> None:
    # two epochs awake, light, deep, awake twice, REM, none, light, one awake
    figures = figures_of([0, 0, 1, 2, 0, 0, 3, -1, 1, 0], 30)
    assert figures == {
        "time_in_bed": 300,
        "time_in_sleep_period": 210,
        "time_in_sleep": 120,
        "time_in_wake": 150,
        "time_in_light": 60,
        "time_in_deep": 30,
        "time_in_rem": 30,
        "sleep_latency": 60,
        "wakeup_latency": 30,
        "waso_count": 1,
        "longest_waso": 60,
        "sleep_cycle_count": 1,
        "sleep_efficiency": 0.4,
        "sleep_ratio": 0.4,
        "wake_ratio": 0.5,
        "light_ratio": 0.2,
        "deep_ratio": 0.1,
        "rem_ratio": 0.1,
        "missing_data_ratio": 0.1,
        "sleep_index": 0.4,
    }


def test_a_night_without_sleep_has_no_latencies() -> None:
    figures = figures_of([0] * 20, 60)
    assert figures["time_in_bed"] == 1200
    assert figures["sleep_efficiency"] == 0
    assert "sleep_latency" not in figures
    assert "wakeup_latency" not in figures


def test_rem_that_pauses_briefly_is_one_cycle() -> None:
    brief, long = [1] * 10, [1] * 40
    assert figures_of([3, *brief, 3, *long, 3], 30)["sleep_cycle_count"] == 2


def test_an_efficiency_is_the_same_number_as_a_percentage() -> None:
    for asleep in range(1, 400):
        share = figures_of([1] * asleep + [0] * (400 - asleep), 30)["sleep_efficiency"]
        assert (round(200 * share) / 2) / 100 == share
