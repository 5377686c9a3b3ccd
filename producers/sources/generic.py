"""Generic: a flat JSON object with `SessionEvent`'s own field names, for senders who have no vendor here.

| fact of the event | where from |
| --- | --- |
| type | `type`; a name that we don't know is UNKNOWN and stays in attributes |
| user_id | `user_id`; a sent `x-user-id` has to equal it |
| session_id | `session_id`; if it is left out, made of the user and both session times |
| occurred_at | `occurred_at`, for every type; 1970-01-01 if it is left out |
| session_start_time, session_end_time | RFC 3339 times with an offset |
| sleep_stages | a list of numbers: 0 wake, 1 light, 2 deep, 3 REM, -1 none |
| utc_offset_seconds | `utc_offset_seconds`, a whole number; never what the times are written with |
| sequence, timezone, epoch_seconds, statistics | the same names |
| attributes | `attributes`, texts by name, and every field that is not named here |

A sender orders revisions by `sequence`; where those are equal, by `occurred_at`, and then the last
received wins.
"""

from typing import Any, Final

from producers.delivery import Context
from producers.sources.event import finished, user_of
from producers.sources.facts import Facts, as_statistic
from producers.sources.json_object import read_object
from producers.sources.vendor import Vendor
from schemas.event import MAX_UTC_OFFSET_S, RANK, EventType, SessionEvent, Statistics
from schemas.identity import session_id_for

NORMALISER: Final = 2
"""Raised when the same bytes are read differently."""
_TYPES: Final = {kind.value: kind for kind in EventType}
_LONG: Final = (-(2**63), 2**63 - 1)
_DAY_S: Final = 86_400


def normalise(body: bytes, context: Context) -> list[SessionEvent]:
    """Read one delivery, which carries one event.

    Raises:
        NotJson: The body is no JSON.
        InvalidDelivery: It is no event.
    """
    facts = Facts([("", read_object(body))], [])
    name = facts.text("type", required=True) or ""
    kind = _TYPES.get(name, EventType.UNKNOWN)
    start_us, end_us = facts.time_us("session_start_time"), facts.time_us("session_end_time")
    user_id = user_of(facts, context, kind)
    fields: dict[str, Any] = {
        "type": kind,
        "user_id": user_id,
        "session_id": _session_id(facts, kind, user_id, start_us, end_us),
        "sequence": facts.integer("sequence", *_LONG) or 0,
        "occurred_at": facts.time_us("occurred_at") or 0,
        "session_start_time": start_us,
        "session_end_time": end_us,
        "timezone": facts.text("timezone"),
        "utc_offset_seconds": facts.integer("utc_offset_seconds", -MAX_UTC_OFFSET_S, MAX_UTC_OFFSET_S),
        "epoch_seconds": _epoch_seconds(facts),
        "sleep_stages": facts.stages("sleep_stages"),
    }
    statistics, unknown = _statistics(facts)
    given = _given_attributes(facts)
    known = {} if name == kind else {"type": name}
    others = {(f"outer.{key}" if key in given else key): text for key, text in facts.rest().items()}
    fields |= {"statistics": statistics, "attributes": others | unknown | known | given}
    return [finished(body, context, facts, NORMALISER, fields)]


def _session_id(
    facts: Facts, kind: EventType, user_id: str, start_us: int | None, end_us: int | None
) -> str | None:
    computable = user_id and start_us is not None and end_us is not None
    session_id = facts.text("session_id", required=kind in RANK and not computable)
    if session_id is None and kind in RANK and start_us is not None and end_us is not None:
        return session_id_for(user_id, start_us, end_us)
    return session_id


def _epoch_seconds(facts: Facts) -> int:
    told = facts.integer("epoch_seconds", 1, _DAY_S)
    return 30 if told is None else told


def _statistics(facts: Facts) -> tuple[Statistics | None, dict[str, str]]:
    """The figures, and those that we have no field for as attributes."""
    if (told := facts.inner("statistics")) is None:
        return None, {}
    figures: dict[str, Any] = {}
    for name in Statistics.__struct_fields__:
        if (value := told.take(name)) is None:
            continue
        if (figure := as_statistic(name, value)) is None:
            told.refuse(name, "is not a number of this figure's kind and range")
        figures[name] = figure
    return (Statistics(**figures) if figures else None), told.rest("statistics.")


def _given_attributes(facts: Facts) -> dict[str, str]:
    if (given := facts.inner("attributes")) is None:
        return {}
    texts = {name: value for name, value in given.told().items() if isinstance(value, str)}
    for name in given.told().keys() - texts.keys():
        given.refuse(name, "must be a text")
    return texts


VENDOR: Final = Vendor(
    name="generic",
    about="One flat JSON object with the event's own field names.",
    normalise=normalise,
    occurred_at=dict.fromkeys(EventType, "occurred_at"),
    schemes="hmac_sha256 in x-signature",
)
