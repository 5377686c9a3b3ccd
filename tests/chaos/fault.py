"""What a fault is: a name, what it lays hands on, and how long it lasts."""

import random
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple

from tests.chaos.stage import Stage

Strike = Callable[[Stage, random.Random], Iterator[None]]


class Fault(NamedTuple):
    """One kind."""

    name: str
    touches: frozenset[str]
    """Two at a time never lay hands on the same."""
    lasts_s: tuple[float, float]
    """At least and at most."""
    strike: Callable[[Stage, random.Random], AbstractContextManager[None]]
    """Begins it; the block's end mends it."""


class Missed(Exception):
    """The moment that a fault needs did not come; it is not counted."""


FAULTS: dict[str, Fault] = {}
"""Of every name, once `tests.chaos.faults` is imported."""


def fault(touches: str, least_s: float = 0.0, most_s: float = 0.3) -> Callable[[Strike], Strike]:
    """Enter a generator among the faults: it strikes, yields while it lasts, and mends."""

    def enter(strike: Strike) -> Strike:
        name = strike.__name__
        FAULTS[name] = Fault(name, frozenset(touches.split()), (least_s, most_s), contextmanager(strike))
        return strike

    return enter
