"""What a vendor's file declares: how its deliveries are read, and what people have to know of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from producers.delivery import Normalise
from schemas.event import EventType


class Item(NamedTuple):
    """One of several things that a delivery tells, each of which becomes an event of its own."""

    path: str
    """Where it stood, `sleeps[0]`, for what is told of problems."""
    part: str
    """Name of the list that held it."""
    body: bytes
    """Its own bytes, kept as its event's `raw`."""


Split = Callable[[bytes, int], list[Item]]
"""A delivery's bytes, and how many items are taken, to its items; pure.

Raises NotJson, InvalidDelivery where there is none, TooLarge where there are more.
"""

Challenge = Callable[[str, Sequence[bytes]], bytes | None]
"""A challenge's query, and the tokens that pass, to the answer in JSON; None if it fails. Never raises."""


@dataclass(frozen=True, kw_only=True)
class Vendor:
    """One vendor: found by its file in `producers/sources/`, which names it `VENDOR`."""

    name: str
    """What `vendor` of a source says."""
    about: str
    """What it sends, in one sentence."""
    normalise: Normalise
    """Reads a delivery, or one item of it where `split` is given."""
    occurred_at: Mapping[EventType, str]
    """The events that it sends, and the one field that each one's `occurred_at` is taken from."""
    schemes: str
    """How its deliveries usually prove where they come from."""
    split: Split | None = None
    """For a vendor whose deliveries carry several items."""
    challenge: Challenge | None = None
    """For a vendor that asks with GET whether an address is right."""
    redact: Sequence[str] = ()
    """Paths that are always taken out, as in a source's `redact`; of each item where `split` is given."""
