"""The one place in the tests that waits: a condition with a deadline, never a guess at how long."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(condition: Callable[[], T], within_s: float = 15.0, every_s: float = 0.02) -> T:
    """Ask until the answer is truthy and return it; fail when the time is over."""
    deadline_s = time.monotonic() + within_s
    while not (answer := condition()):
        if time.monotonic() > deadline_s:
            raise AssertionError(f"did not come true within {within_s} s")
        time.sleep(every_s)
    return answer
