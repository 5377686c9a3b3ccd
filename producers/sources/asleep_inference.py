"""Asleep's commonest delivery by a shorter way: an inference in the documented spelling, nothing unusual.

A night brings a hundred of them for each session that ends. Taking one apart fact by fact, prepared for
every spelling and every mistake, takes twice as long. What is the least unusual is left to that way; a
property test holds the two together.
"""

from typing import Any, Final

from producers.delivery import Context
from producers.sources.event import UNIDENTIFIED, identified
from producers.sources.facts import as_attribute, as_stages, is_identifier
from schemas.event import EventType, SessionEvent

_TOP: Final = frozenset({"data", "event", "version"})
_UNUSUAL_INSIDE: Final = _TOP | {"callback_event", "stage_list"}
_FACTS: Final = frozenset({"data", "event", "user_id", "session_id", "inference_seq_num", "sleep_stages"})
_MAX_LONG: Final = 2**63 - 1


def plain_inference(
    told: dict[str, Any], body: bytes, context: Context, normaliser: int
) -> SessionEvent | None:
    """Read an inference.

    Args:
        told: The body's object.
        body: Its bytes.
        context: Where and when it came in.
        normaliser: Version of the vendor's normaliser.

    Returns:
        The event; None if anything about it is unusual, or wrong.
    """
    if told.get("event") != "INFERENCE_COMPLETE" or not told.keys() <= _TOP:
        return None
    data = told.get("data")
    if not isinstance(data, dict) or not _UNUSUAL_INSIDE.isdisjoint(data):
        return None
    user_id, session_id = data.get("user_id"), data.get("session_id")
    sequence, stages = data.get("inference_seq_num"), as_stages(data.get("sleep_stages"))
    if not (
        stages is not None
        and is_identifier(user_id)
        and is_identifier(session_id)
        and type(sequence) is int
        and 0 <= sequence <= _MAX_LONG
        and set(context.claimed_user_ids) <= {user_id}
    ):
        return None
    attributes = {
        name: as_attribute(value)
        for name, value in (told | data).items()
        if value is not None and name not in _FACTS
    }
    event = SessionEvent(
        event_id=UNIDENTIFIED,
        source=context.source,
        tenant=context.tenant,
        type=EventType.INFERENCE_COMPLETE,
        user_id=user_id,  # type: ignore[arg-type]  # an identifier is a text
        session_id=session_id,
        sequence=sequence,
        received_at=context.received_at_us,
        normaliser=normaliser,
        sleep_stages=stages,
        attributes=attributes,
        raw=body if context.keep_raw else None,
    )
    return identified(event)
