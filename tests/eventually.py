"""The one place in the tests that waits: a condition with a deadline, never a guess at how long."""

import time
from collections.abc import Callable
from typing import Final, TypeVar

T = TypeVar("T")
PATIENCE_S: Final = 60.0
"""So long a test waits for what no promise bounds, however busy the machine is."""
_REST: Final = 4
"""Between two questions, as a multiple of how long the last one took."""
_SHORTEST_REST_S: Final = 0.02
_LONGEST_REST_S: Final = 0.2


def eventually(condition: Callable[[], T], within_s: float = PATIENCE_S, every_s: float | None = None) -> T:
    """Ask until the answer is truthy and return it; fail when the time is over.

    Args:
        condition: The question.
        within_s: Seconds until it fails.
        every_s: Seconds from an answer to the next question. By default what takes long to answer is asked
            less often, or else those that wait keep busy those that they wait for.
    """
    deadline_s = (asked_s := time.monotonic()) + within_s
    while not (answer := condition()):
        if (told_s := time.monotonic()) > deadline_s:
            raise AssertionError(f"did not come true within {within_s} s")
        rest_s = min(max(_SHORTEST_REST_S, _REST * (told_s - asked_s)), _LONGEST_REST_S)
        time.sleep(rest_s if every_s is None else every_s)
        asked_s = time.monotonic()
    return answer
