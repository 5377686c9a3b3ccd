"""From a delivery's bytes to events: several items one by one, and without what must not be kept."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from producers.delivery import Context, InvalidDelivery, Normalise, NotJson, Whereabouts
from producers.redact import ATTRIBUTE, Redaction, Unreadable
from producers.sources.vendor import Item
from schemas.codec import Problem
from schemas.event import SessionEvent

_UNKEPT = b""
"""Stands for an item that can't be searched for what must not be kept."""


class Rejected(NamedTuple):
    """One item of a delivery that is no event."""

    place: int
    """Among all items of the delivery, from 0."""
    body: bytes
    """As it came, without what is redacted."""
    problems: list[Problem]


class Accepted(NamedTuple):
    """What became of a delivery that is safe."""

    event_ids: list[str]
    rejected: Sequence[Rejected] = ()
    """Items that are no events: parked, as safe as the events."""
    whereabouts: Whereabouts = "queued"
    trace_id: str = ""
    """Of the records, where something was parked."""


class Reading(NamedTuple):
    """What a delivery of several items holds."""

    events: list[SessionEvent]
    rejected: list[Rejected]


def redacting(normalise: Normalise, redaction: Redaction) -> Normalise:
    """The same normaliser, which never sees what is redacted: neither facts, attributes nor `raw` have it."""
    if not redaction:
        return normalise

    def normalise_redacted(body: bytes, context: Context) -> list[SessionEvent]:
        """Read what is left of a body; each event bears the names of what was taken out of it."""
        try:
            clean, found = redaction.apply(body)
        except Unreadable:
            normalise(body, context)  # which says best what is wrong
            raise NotJson from None
        events = normalise(clean, context)
        for event in events if found else ():
            event.attributes[ATTRIBUTE] = ",".join(found)
        return events

    return normalise_redacted


def read_items(
    items: Sequence[Item],
    normalise: Normalise,
    redaction: Redaction,
    context: Context,
    check: Callable[[SessionEvent], object],
) -> Reading:
    """Read every item of a delivery; the bad ones are told apart, by their place.

    Args:
        items: What the delivery was taken apart into.
        normalise: Reads one item, and redacts it.
        redaction: What a bad item is kept without.
        context: Where and when it came in.
        check: Raises InvalidDelivery for an event that can't be sent.

    Raises:
        InvalidDelivery: None of them is good.
    """
    reading = Reading([], [])
    for index, item in enumerate(items):
        try:
            events = normalise(item.body, context._replace(part=item.part))
            for event in events:
                check(event)
            reading.events.extend(events)
        except (InvalidDelivery, NotJson) as refusal:
            kept = _without(redaction, item.body)
            reading.rejected.append(Rejected(index, kept, _problems(item, refusal)))
    if not reading.events:
        raise InvalidDelivery([problem for one in reading.rejected for problem in one.problems])
    return reading


def _without(redaction: Redaction, body: bytes) -> bytes:
    try:
        return redaction.apply(body)[0]
    except Unreadable:
        return _UNKEPT


def _problems(item: Item, refusal: InvalidDelivery | NotJson) -> list[Problem]:
    if isinstance(refusal, NotJson):
        return [Problem(item.path, "can't be read as JSON, or is nested too deeply")]
    return [Problem(f"{item.path}.{path}" if path else item.path, text) for path, text in refusal.problems]
