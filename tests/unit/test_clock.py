"""The machine's clocks in the units that everything else counts in."""

import time

from config.clock import SystemClock


def test_wall_time_is_whole_microseconds_since_1970() -> None:
    before_us, told_us, after_us = time.time_ns() // 1000, SystemClock().now_us(), time.time_ns() // 1000
    assert isinstance(told_us, int)
    assert before_us <= told_us <= after_us


def test_durations_come_from_the_monotonic_clock() -> None:
    before_s, told_s, after_s = time.monotonic(), SystemClock().monotonic_s(), time.monotonic()
    assert before_s <= told_s <= after_s
