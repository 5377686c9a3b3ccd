"""What became of one record."""

from enum import Enum
from typing import assert_never


class Outcome(Enum):
    """Closed; the values are the labels of `sink_records_total` and columns of `consumer_offsets`."""

    WRITTEN = "written"
    """Its event is the session's state now, or was for a moment."""
    DUPLICATE = "duplicate"
    """Its event was already among the last 16 that were written to the row."""
    STALE = "stale"
    """The row holds a greater state."""
    PASSED = "passed"
    """Nothing to store: a ping, an unknown type, a revocation."""
    PARKED = "parked"
    """It can never be stored; it lies in the dead-letter topic with its reason."""
    ERASED = "erased"
    """Its person asked to be forgotten."""


def needs_a_person(outcome: Outcome) -> bool:
    """Whether somebody has to look at records with this outcome."""
    match outcome:
        case Outcome.WRITTEN | Outcome.DUPLICATE | Outcome.STALE | Outcome.PASSED | Outcome.ERASED:
            return False
        case Outcome.PARKED:
            return True
        case _:
            assert_never(outcome)
