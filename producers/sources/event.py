"""From a vendor's facts to the event: what every normaliser does last."""

from typing import Any, Final

import msgspec

from producers.delivery import Context, InvalidDelivery
from producers.sources.facts import Facts
from schemas.event import EventType, SessionEvent
from schemas.identity import event_id

UNIDENTIFIED: Final = "00000000-0000-0000-0000-000000000000"
"""Stands for the id until all the facts are there that it is made of."""


def user_of(facts: Facts, context: Context, kind: EventType, name: str = "user_id") -> str:
    """The body's `user_id`, or what the vendor calls it, which every readable claim has to equal.

    Only an event of unknown type may leave it out, and then the claim stands for it: such events are
    carried, never refused, and touch nobody's row.
    """
    claims = context.claimed_user_ids
    unknown = kind is EventType.UNKNOWN
    user_id = facts.text(name, required=not (unknown and claims))
    if user_id is None and unknown and claims and claims[0]:
        user_id = claims[0]
    for claim in claims:
        if user_id is not None and claim != user_id:
            facts.refuse("x-user-id", "differs from the user_id of the body, or can't be read")
    return user_id or ""


def finished(
    body: bytes, context: Context, facts: Facts, normaliser: int, fields: dict[str, Any]
) -> SessionEvent:
    """Build the event, with its identity.

    Args:
        body: The delivery's bytes, kept as `raw` where the source wants that.
        context: Where and when it came in.
        facts: For what is wrong so far.
        normaliser: Version of the vendor's normaliser.
        fields: The event's own fields.

    Raises:
        InvalidDelivery: Something was wrong.
    """
    if facts.problems:
        raise InvalidDelivery(facts.problems)
    event = SessionEvent(
        event_id=UNIDENTIFIED,
        source=context.source,
        tenant=context.tenant,
        received_at=context.received_at_us,
        normaliser=normaliser,
        raw=body if context.keep_raw else None,
        **fields,
    )
    return identified(event)


def identified(event: SessionEvent) -> SessionEvent:
    """Give an event that nobody else has seen yet its identity; not by `replace`, which makes another."""
    msgspec.structs.force_setattr(event, "event_id", event_id(event))
    return event
