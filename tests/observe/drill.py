"""One drill: a fault is made, its alerts fire; it is mended, and they clear."""

import time
from collections.abc import Iterable
from contextlib import suppress
from typing import Final, NamedTuple

from tests.eventually import eventually
from tests.observe.faults import Fault
from tests.observe.prometheus import Prometheus
from tests.observe.stage import Stage

FIRES_WITHIN_S: Final = 90.0
CLEARS_WITHIN_S: Final = 150.0
_EVERY_S: Final = 0.5


class Tried(NamedTuple):
    """What became of one alert; None: it never did."""

    alert: str
    fault: str
    fired_s: float | None
    """Seconds from the beginning of the fault."""
    cleared_s: float | None
    """Seconds from the beginning of its mending."""

    @property
    def good(self) -> bool:
        """Whether it fired and cleared."""
        return self.fired_s is not None and self.cleared_s is not None


def tried(fault: Fault, stage: Stage, server: Prometheus) -> list[Tried]:
    """Make a fault and mend it, and time what its alerts do.

    Raises:
        AssertionError: One of them fires before, or the fault can't be made.
    """
    mine = {*fault.alerts, *fault.afterwards}
    eventually(lambda: not server.firing() & mine, CLEARS_WITHIN_S, _EVERY_S)
    began_s = time.monotonic()
    fired: dict[str, float] = {}
    with fault.makes(stage):
        _note(server, fault.alerts, fired, began_s)
        mended_s = time.monotonic()
    if not set(fault.alerts) - fired.keys():
        _note(server, fault.afterwards, fired, began_s)
    cleared: dict[str, float] = {}

    def all_clear() -> bool:
        for alert in fired.keys() - server.firing():
            cleared.setdefault(alert, time.monotonic() - mended_s)
        return not fired.keys() - cleared.keys()

    with suppress(AssertionError):  # what never clears is told as such
        eventually(all_clear, CLEARS_WITHIN_S, _EVERY_S)
    return [
        Tried(alert, fault.told, fired.get(alert), cleared.get(alert))
        for alert in (*fault.alerts, *fault.afterwards)
    ]


def _note(server: Prometheus, alerts: Iterable[str], fired: dict[str, float], began_s: float) -> None:
    """Wait until all of them have fired, and note when each was first seen; or until the time is over."""

    def all_have() -> bool:
        for alert in server.firing() & set(alerts):
            fired.setdefault(alert, time.monotonic() - began_s)
        return set(alerts) <= fired.keys()

    with suppress(AssertionError):  # likewise
        eventually(all_have, FIRES_WITHIN_S, _EVERY_S)
