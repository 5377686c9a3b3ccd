"""How several sinks are numbered, and how long one that died stays away."""

import pytest

from config.errors import SettingsError
from session_relay.members import LONGEST_WAIT_S, ports, wait_before_start_s


@pytest.mark.parametrize(
    ("first", "count", "expected"),
    [(9102, 3, [9102, 9103, 9104]), (0, 2, [0, 0]), (65_534, 2, [65_534, 65_535])],
)
def test_ports_are_counted_up_and_0_stays_0(first: int, count: int, expected: list[int]) -> None:
    assert ports(first, count) == expected


def test_ports_beyond_the_last_are_refused() -> None:
    with pytest.raises(SettingsError, match="METRICS__SINK_PORT: 3 processes"):
        ports(65_534, 3)


def test_waits_double_up_to_a_limit() -> None:
    assert [wait_before_start_s(deaths) for deaths in (1, 2, 3, 4)] == [0.5, 1, 2, 4]
    assert wait_before_start_s(7) == wait_before_start_s(10_000) == LONGEST_WAIT_S
