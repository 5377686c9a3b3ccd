"""Python's cyclic garbage collector, told that there is little for it here."""

import gc
from typing import Final

_YOUNG_OBJECTS: Final = 50_000


def calm_collector() -> None:
    """Let it look seldom, and never at what is there already.

    A batch, or the deliveries under way, are thousands of small objects, none of them in a circle: by
    default they are looked at after every 700, which takes a twentieth of the time.
    """
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 20, 50)
