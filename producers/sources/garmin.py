"""Garmin: a delivery is an object of lists, and each element of a list is an event of its own.

| fact of the event | where from |
| --- | --- |
| type | `sleeps`: SESSION_COMPLETE, or SESSION_CHANGED where it has a `callbackURL`; `deregistrations`: |
| | USER_REVOKED; any other list is UNKNOWN. The list's name is the attribute `summary_type` |
| user_id | `userId`; a sent `x-user-id` has to equal it |
| session_id | `summaryId`; if it is left out, made of the user and both session times |
| occurred_at | SESSION_COMPLETE: its session_end_time; SESSION_CHANGED: `uploadEndTimeInSeconds` in the |
| | `callbackURL`; else 1970-01-01 |
| utc_offset_seconds | `startTimeOffsetInSeconds`; one beyond 18 h stays an attribute |
| session_start_time | `startTimeInSeconds`, seconds since 1970-01-01 UTC |
| session_end_time | the start and the seconds of `durationInSeconds` (asleep), `awakeDurationInSeconds` and |
| | `unmeasurableSleepInSeconds` |
| sleep_stages | `sleepLevelsMap`, lists of intervals by level: what holds in the middle of each 30 s from |
| | the start on; none where no interval does |
| statistics | `durationInSeconds` as time_in_sleep, and those of light, deep, REM and awake |
| attributes | everything else; a level that we don't know as `sleepLevelsMap.` and its name |

No field is known that orders revisions of a night: one that grew has the later end; of two with the same end,
the last received wins. Nor is a field known for the end, so it is a sum: `durationInSeconds` leaves out what
was awake. That it leaves out what could not be measured too is our own reading.

Never kept: `userAccessToken`, and the `token` in a `callbackURL`. Public code checks no signature, only that
`garmin-client-id` was sent; so the address has to be a secret itself.

Sources: Garmin's specification is not public; the fields are those that public code reads, above all
open-wearables (`garmin/webhook_handler.py`, `garmin/handlers/`, `schemas/providers/garmin/`, and its
`backfill_garmin_sleep_end_datetime.py` on what `durationInSeconds` covers), and those of a sample delivery.
"""

import re
from typing import Any, Final

from producers.delivery import Context
from producers.sources.event import finished, user_of
from producers.sources.facts import Facts, as_attribute
from producers.sources.items import named_lists
from producers.sources.json_object import read_object
from producers.sources.vendor import Vendor
from schemas.event import (
    EPOCH_NONE,
    MAX_TIME_US,
    MAX_UTC_OFFSET_S,
    MICROSECONDS,
    MIN_TIME_US,
    EventType,
    SessionEvent,
    Statistics,
)
from schemas.identity import session_id_for

NORMALISER: Final = 2
"""Raised when the same bytes are read differently."""
_EPOCH_S: Final = 30
_WEEK_S: Final = 7 * 86_400
"""More than any night, and little enough for a list of epochs."""
_TIME_S: Final = (MIN_TIME_US // MICROSECONDS, MAX_TIME_US // MICROSECONDS - 4 * _WEEK_S)
"""Of a start, so that its end can be stored too."""
_LEVELS: Final = {"awake": 0, "light": 1, "deep": 2, "rem": 3}
_FIGURES: Final = {
    "durationInSeconds": "time_in_sleep",
    "awakeDurationInSeconds": "time_in_wake",
    "lightSleepDurationInSeconds": "time_in_light",
    "deepSleepDurationInSeconds": "time_in_deep",
    "remSleepInSeconds": "time_in_rem",
}
_UPLOADED: Final = re.compile(r"[?&]uploadEndTimeInSeconds=(\d{1,11})(?:&|$)", re.ASCII)


def normalise(body: bytes, context: Context) -> list[SessionEvent]:
    """Read one item; `context.part` is the name of its list.

    Raises:
        NotJson: The item is no JSON.
        InvalidDelivery: It is no event of Garmin's.
    """
    facts = Facts([("", read_object(body))], [])
    kind = _kind(facts, context.part)
    fields: dict[str, Any] = {"type": kind, "user_id": user_of(facts, context, kind, "userId")}
    if kind is EventType.SESSION_COMPLETE:
        fields |= _session(facts, fields["user_id"])
    elif kind is EventType.SESSION_CHANGED:
        fields["session_id"] = facts.text("summaryId")
        fields["occurred_at"] = _uploaded_us(facts.told()["callbackURL"])
    fields["attributes"] = facts.rest() | fields.get("attributes", {}) | {"summary_type": context.part}
    return [finished(body, context, facts, NORMALISER, fields)]


def _kind(facts: Facts, part: str) -> EventType:
    if part == "deregistrations":
        return EventType.USER_REVOKED
    if part != "sleeps":
        return EventType.UNKNOWN
    ping = facts.told().get("callbackURL") is not None
    return EventType.SESSION_CHANGED if ping else EventType.SESSION_COMPLETE


def _uploaded_us(url: object) -> int:
    found = _UPLOADED.search(url) if isinstance(url, str) else None
    return min(int(found[1]) * MICROSECONDS, MAX_TIME_US) if found else 0


def _session(facts: Facts, user_id: str) -> dict[str, Any]:
    start_s = facts.integer("startTimeInSeconds", *_TIME_S)
    if start_s is None and "startTimeInSeconds" not in {problem.path for problem in facts.problems}:
        facts.refuse("startTimeInSeconds", "is missing")
    figures = {ours: facts.integer(name, 0, _WEEK_S) for name, ours in _FIGURES.items()}
    unmeasured_s = facts.integer("unmeasurableSleepInSeconds", 0, _WEEK_S)
    length_s = sum(told or 0 for told in (figures["time_in_sleep"], figures["time_in_wake"], unmeasured_s))
    session_id = facts.text("summaryId")
    levels = facts.inner("sleepLevelsMap")
    offset_s = _offset_s(facts)
    if start_s is None:
        return {}
    start_us, end_us = start_s * MICROSECONDS, (start_s + length_s) * MICROSECONDS
    attributes = {} if unmeasured_s is None else {"unmeasurableSleepInSeconds": as_attribute(unmeasured_s)}
    return {
        "session_id": session_id or session_id_for(user_id, start_us, end_us),
        "occurred_at": end_us,
        "session_start_time": start_us,
        "session_end_time": end_us,
        "utc_offset_seconds": offset_s,
        "epoch_seconds": _EPOCH_S,
        "sleep_stages": None if levels is None else _stages(levels, start_s, length_s),
        "statistics": Statistics(**figures) if any(told is not None for told in figures.values()) else None,
        "attributes": attributes | ({} if levels is None else levels.rest("sleepLevelsMap.")),
    }


def _offset_s(facts: Facts) -> int | None:
    """The clock's offset, which is left among the attributes if it can be none: it loses no night."""
    told = facts.told().get("startTimeOffsetInSeconds")
    if type(told) is not int or abs(told) > MAX_UTC_OFFSET_S:
        return None
    facts.take("startTimeOffsetInSeconds")
    return told


def _stages(levels: Facts, start_s: int, length_s: int) -> bytes:
    """One byte per epoch: the level that holds in its middle."""
    stages = bytearray([EPOCH_NONE]) * -(-length_s // _EPOCH_S)
    for name, stage in _LEVELS.items():
        for begin_s, end_s in _intervals(levels, name):
            # the middles lie at start + 15 s, + 45 s, …
            first = max(0, _epochs_before(begin_s - start_s))
            last = min(len(stages), _epochs_before(end_s - start_s))
            if first < last:
                stages[first:last] = bytes([stage]) * (last - first)
    return bytes(stages)


def _epochs_before(offset_s: int) -> int:
    """How many epochs have their middle before this offset."""
    return (offset_s + _EPOCH_S // 2 - 1) // _EPOCH_S


def _intervals(levels: Facts, name: str) -> list[tuple[int, int]]:
    told = levels.take(name)
    if told is None:
        return []
    try:
        found = [(one["startTimeInSeconds"], one["endTimeInSeconds"]) for one in told]
        good = all(type(time_s) is int for interval in found for time_s in interval)
    except (TypeError, KeyError):
        good = False
    if not good:
        levels.refuse(name, "must be a list of intervals in whole seconds")
        return []
    return found


VENDOR: Final = Vendor(
    name="garmin",
    about="Lists of whole sleep summaries, of pings to fetch them, and of users who withdrew.",
    normalise=normalise,
    occurred_at={
        EventType.SESSION_COMPLETE: "session_end_time: startTimeInSeconds and the durations",
        EventType.SESSION_CHANGED: "uploadEndTimeInSeconds in callbackURL",
        EventType.USER_REVOKED: "none: 1970-01-01",
        EventType.UNKNOWN: "none: 1970-01-01",
    },
    schemes="none of its own: a token in the address (url_token), or api_key in garmin-client-id",
    split=named_lists,
    redact=("userAccessToken", "callbackURL.?token"),
)
