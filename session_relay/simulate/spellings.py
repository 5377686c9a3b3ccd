"""The bodies that vendors send for the same facts: three spellings of Asleep, one of the generic vendor.

Sources: Asleep's public webhook documentation (its table and its examples disagree: `data` with
`sleep_stages` against `callback_data` with `stage_list`), and its public sample code (flat, a percentage for
the efficiency, a list of cycles). The generic body has the event's own field names.
"""

import json
from datetime import UTC, datetime, timedelta, timezone
from enum import StrEnum
from random import Random
from typing import Any, Final

from session_relay.simulate.chance import chance
from session_relay.simulate.facts import EPOCH, Facts, unpacked

ZONES: Final = {
    "Asia/Seoul": 540,
    "Asia/Tokyo": 540,
    "Asia/Kolkata": 330,
    "Africa/Lagos": 60,
    "America/Bogota": -300,
    "UTC": 0,
}
"""Zones without summer time and their offsets in minutes, so that no zone database is needed."""

_CYCLE: Final = timedelta(minutes=90)


class Spelling(StrEnum):
    """How a vendor writes an event down."""

    ASLEEP_DATA = "asleep_data"
    ASLEEP_FLAT = "asleep_flat"
    ASLEEP_CALLBACK = "asleep_callback"
    GENERIC = "generic"


ASLEEP_SPELLINGS: Final = (Spelling.ASLEEP_DATA, Spelling.ASLEEP_FLAT, Spelling.ASLEEP_CALLBACK)


def spell(facts: Facts, spelling: Spelling, style: int) -> bytes:
    """Write the facts as a request body.

    Args:
        facts: What the body says.
        spelling: Whose field names.
        style: Seed of what carries no meaning: white space, order of keys, the offset of times. The same
            style gives the same bytes.
    """
    rng = Random(style)  # noqa: S311 - cosmetic and repeatable, not a secret
    body = _generic(facts, rng) if spelling is Spelling.GENERIC else _asleep(facts, spelling, rng)
    if chance(rng, 0.3):
        body = dict(reversed(body.items()))
    layout = rng.choice((None, None, None, 1))
    separators = (",", ":") if layout is None else None
    return json.dumps(body, indent=layout, separators=separators, ensure_ascii=chance(rng, 0.5)).encode()


def _asleep(facts: Facts, spelling: Spelling, rng: Random) -> dict[str, Any]:
    content: dict[str, Any] = {"user_id": facts.user_id, "session_id": facts.session_id}
    if facts.type == "SESSION_COMPLETE":
        content |= _asleep_night(facts, spelling, rng)
    elif facts.type == "INFERENCE_COMPLETE":
        content |= _asleep_inference(facts, spelling)
    if spelling is Spelling.ASLEEP_DATA:
        return {"event": facts.type, "version": "V3", "data": content}
    if spelling is Spelling.ASLEEP_CALLBACK:
        return {"callback_event": facts.type, "callback_version": "V2", "callback_data": content}
    sent = (facts.end or EPOCH) + timedelta(seconds=rng.randrange(5, 300))
    return {"event": facts.type, "version": "V3", "timestamp": _time(sent, UTC)} | content


def _asleep_inference(facts: Facts, spelling: Spelling) -> dict[str, Any]:
    stages = unpacked(facts.stages or b"")
    frames = 5 if spelling is Spelling.ASLEEP_FLAT else 10
    return {
        "seq_num": facts.sequence * frames + frames - 1,
        "inference_seq_num": facts.sequence,
        _stages_key(spelling): stages,
        "breath_stages": None,
        "snoring_stages": [0] * len(stages),
    }


def _asleep_night(facts: Facts, spelling: Spelling, rng: Random) -> dict[str, Any]:
    if facts.start is None or facts.end is None:
        raise ValueError("a complete session has a start and an end")
    zone = UTC if spelling is Spelling.ASLEEP_FLAT else _zone(facts, rng)
    session: dict[str, Any] = {
        "id": facts.session_id,
        "state": "COMPLETE",
        "start_time": _time(facts.start, zone, z=False),
        "end_time": _time(facts.end, zone, z=False),
        _stages_key(spelling): unpacked(facts.stages or b""),
    }
    if facts.timezone is not None:
        session["timezone"] = facts.timezone
    if spelling is Spelling.ASLEEP_DATA:
        session["snoring_stages"] = [0] * len(facts.stages or b"")
    figures = None if facts.statistics is None else dict(facts.statistics)
    missing = None if figures is None else figures.pop("missing_data_ratio", None)
    night: dict[str, Any] = {"session": session, "stat": _asleep_figures(facts, figures, spelling)}
    night["peculiarities"] = ["TOO_SHORT_FOR_ANALYSIS"] if figures is None else []
    if missing is not None:
        night["missing_data_ratio"] = missing
    return night


def _asleep_figures(
    facts: Facts, figures: dict[str, float | int] | None, spelling: Spelling
) -> dict[str, Any] | None:
    if figures is None or facts.start is None:
        return None
    stat: dict[str, Any] = dict(figures)
    cycles = stat.pop("sleep_cycle_count", None)
    if spelling is not Spelling.ASLEEP_FLAT:
        return stat | ({} if cycles is None else {"sleep_cycle": cycles})
    if cycles is not None:
        starts = (facts.start + index * _CYCLE for index in range(cycles))
        stat["sleep_cycle"] = [{"order": n, "start_time": _time(at, UTC)} for n, at in enumerate(starts, 1)]
    percents = round(200 * stat.get("sleep_efficiency", 0.0)) / 2  # exact, as the figures keep half per cents
    if percents > 1:  # up to 1 a reader could not tell a percentage from a share
        stat["sleep_efficiency"] = percents
    slept = timedelta(seconds=stat.get("time_in_sleep", 0))
    return stat | {"sleep_time": str(slept).rjust(8, "0")}


def _generic(facts: Facts, rng: Random) -> dict[str, Any]:
    zone = _zone(facts, rng)
    body: dict[str, Any] = {"type": facts.type, "user_id": facts.user_id}
    told = {
        "session_id": facts.session_id,
        "sequence": facts.sequence,
        "occurred_at": None if facts.occurred_at == EPOCH else _time(facts.occurred_at, zone),
        "session_start_time": None if facts.start is None else _time(facts.start, zone),
        "session_end_time": None if facts.end is None else _time(facts.end, zone),
        "timezone": facts.timezone,
        "utc_offset_seconds": facts.utc_offset_s,
        "sleep_stages": None if facts.stages is None else unpacked(facts.stages),
        "epoch_seconds": facts.epoch_s,
        "statistics": None if facts.statistics is None else dict(facts.statistics),
        "attributes": dict(facts.attributes) or None,
    }
    return body | {name: value for name, value in told.items() if value is not None}


def _stages_key(spelling: Spelling) -> str:
    return "stage_list" if spelling is Spelling.ASLEEP_CALLBACK else "sleep_stages"


def _zone(facts: Facts, rng: Random) -> timezone:
    minutes = ZONES.get(facts.timezone or "UTC", 0)
    return rng.choice((UTC, timezone(timedelta(minutes=minutes))))


def _time(at: datetime, zone: timezone, *, z: bool = True) -> str:
    text = at.astimezone(zone).isoformat()
    return text.removesuffix("+00:00") + "Z" if z and text.endswith("+00:00") else text
