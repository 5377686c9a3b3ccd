"""Asleep: three spellings of one webhook, all in, one event out.

Spellings, mixed ones included: documented (`event`, `version`, `data{}`), flat (everything at the top,
`session{}`, `stat{}`), and `callback_event`, `callback_version`, `callback_data{}` with `stage_list`.

| fact of the event | where from |
| --- | --- |
| type | `event` or `callback_event`; a name that we don't know is UNKNOWN and stays in attributes |
| user_id | `user_id`; a sent `x-user-id` has to equal it |
| session_id | `session_id`, or `session.id`; if both are told they have to be equal |
| sequence | INFERENCE_COMPLETE: `inference_seq_num`; 0 otherwise |
| occurred_at | SESSION_COMPLETE: `session.end_time`; else 1970-01-01: not every spelling has a time |
| session_start_time, session_end_time, timezone | `session.start_time`, `.end_time`, `.timezone` |
| sleep_stages | `sleep_stages` or `stage_list`, in `session` if there is one; -1 is none; 30 s an epoch |
| statistics | `stat.*`, `missing_data_ratio`; `sleep_cycle` is a number or a list of cycles, and where
  `sleep_cycle_count` stands beside it an attribute: then it is their mean length in seconds;
  `sleep_efficiency` is a share, or, above 1, a percentage |
| attributes | everything else, a `stat` field that does not fit included: it never loses a session |

Asleep orders revisions of a session by nothing: of two with the same end, the last received wins.

Sources: Asleep's public "Webhook" page, which names `callback_*` in its table and `event`, `data` in its
examples; the flat spelling and its percentages are those of the vendor's public `sleeptrack-skills`.
"""

from typing import Any, Final

from producers.delivery import Context
from producers.sources.asleep_inference import plain_inference
from producers.sources.event import finished, user_of
from producers.sources.facts import Facts, Layer, as_attribute, as_statistic, is_identifier
from producers.sources.json_object import read_object
from producers.sources.vendor import Vendor
from schemas.codec import Problem
from schemas.event import EventType, SessionEvent, Statistics

NORMALISER: Final = 2
"""Raised when the same bytes are read differently."""
_TYPES: Final = {
    "SESSION_COMPLETE": EventType.SESSION_COMPLETE,
    "INFERENCE_COMPLETE": EventType.INFERENCE_COMPLETE,
}
_RENAMED: Final = {"sleep_cycle": "sleep_cycle_count"}
_STAGES: Final = ("sleep_stages", "stage_list")
_MAX_LONG: Final = 2**63 - 1
_NO_PERCENTAGE: Final = 1e6
"""Too great for one, as a number of 400 digits is for a division."""


def normalise(body: bytes, context: Context) -> list[SessionEvent]:
    """Read one delivery, which carries one event.

    Raises:
        NotJson: The body is no JSON.
        InvalidDelivery: It is no event of Asleep's.
    """
    event = plain_inference(body, context, NORMALISER)
    return [_by_facts(read_object(body), body, context) if event is None else event]


def _by_facts(told: dict[str, Any], body: bytes, context: Context) -> SessionEvent:
    """Take it apart fact by fact, in whatever spelling it is."""
    problems: list[Problem] = []
    facts = Facts(_layers(told, problems), problems)
    name = facts.text("event", "callback_event", required=True) or ""
    kind = _TYPES.get(name, EventType.UNKNOWN)
    fields: dict[str, Any] = {"type": kind, "user_id": user_of(facts, context, kind)}
    if kind is EventType.UNKNOWN:
        fields |= _unknown(facts, name)
    elif kind is EventType.INFERENCE_COMPLETE:
        fields |= _inference(facts)
    else:
        fields |= session_fields(facts)
    return finished(body, context, facts, NORMALISER, fields)


def _layers(told: dict[str, Any], problems: list[Problem]) -> list[Layer]:
    """The wrapped objects, if any, and the top: a fact may stand in each of them."""
    layers: list[Layer] = []
    for wrapper in ("data", "callback_data"):
        inner = told.pop(wrapper, None)
        if isinstance(inner, dict):
            layers.append((f"{wrapper}.", inner))
        elif inner is not None:
            problems.append(Problem(wrapper, "must be an object"))
    layers.append(("", told))
    return layers


def _unknown(facts: Facts, name: str) -> dict[str, Any]:
    session_id = facts.take("session_id")
    attributes = facts.rest() | {"event": name}
    if session_id is not None and not is_identifier(session_id):
        attributes["session_id"], session_id = as_attribute(session_id), None
    return {"session_id": session_id, "attributes": attributes}


def _inference(facts: Facts) -> dict[str, Any]:
    return {
        "session_id": facts.text("session_id", required=True),
        "sequence": facts.integer("inference_seq_num", 0, _MAX_LONG) or 0,
        "sleep_stages": facts.stages(*_STAGES),
        "attributes": facts.rest(),
    }


def session_fields(facts: Facts) -> dict[str, Any]:
    """Read the fields of a finished session; the API's answers have them too."""
    session = facts.inner("session") or Facts([], facts.problems)
    end_us = session.time_us("end_time")
    statistics, unfit = _statistics(facts)
    stages = session.stages(*_STAGES)
    return {
        "session_id": _session_id(facts, session),
        "occurred_at": end_us or 0,
        "session_start_time": session.time_us("start_time"),
        "session_end_time": end_us,
        "timezone": session.text("timezone"),
        "sleep_stages": stages if stages is not None else facts.stages(*_STAGES),
        "statistics": statistics,
        "attributes": facts.rest() | session.rest("session.") | unfit,
    }


def _session_id(facts: Facts, session: Facts) -> str | None:
    inner = session.text("id")
    outer = facts.text("session_id", required=inner is None)
    if inner is not None and outer is not None and inner != outer:
        session.refuse("id", "differs from session_id")
    return outer if inner is None else inner


def _statistics(facts: Facts) -> tuple[Statistics | None, dict[str, str]]:
    """The figures that fit their fields, and what is left of `stat` as attributes."""
    told, attributes = facts.take("stat") or {}, {}
    if not isinstance(told, dict):
        told, attributes = {}, {"stat": as_attribute(told)}
    if (missing := facts.take("missing_data_ratio")) is not None:
        told = {"missing_data_ratio": missing} | told
    figures: dict[str, Any] = {}
    for name, value in told.items():
        field = _RENAMED.get(name, name)
        if value is None:
            continue
        if field != name and told.get(field) is not None:  # then it is the cycles' mean length in seconds
            attributes[f"stat.{name}"] = as_attribute(value)
            continue
        if (figure := as_statistic(field, _in_our_unit(name, value))) is not None:
            figures[field] = figure
        if figure is None or isinstance(value, list):
            attributes[f"stat.{name}"] = as_attribute(value)
    return (Statistics(**figures) if figures else None), attributes


def _in_our_unit(name: str, value: Any) -> Any:
    if name == "sleep_cycle" and isinstance(value, list):
        return len(value)
    if name == "sleep_efficiency" and type(value) in (int, float) and 1 < value < _NO_PERCENTAGE:
        # rounded, so that 83.76 and 0.8376 are the same fact to the last bit
        return round(value / 100, 12)
    return value


VENDOR: Final = Vendor(
    name="asleep",
    about="Whole sessions and inferences, in three spellings: documented, flat and callback.",
    normalise=normalise,
    occurred_at={
        EventType.SESSION_COMPLETE: "session.end_time",
        EventType.INFERENCE_COMPLETE: "none: 1970-01-01",
        EventType.UNKNOWN: "none: 1970-01-01",
    },
    schemes="api_key in x-api-key, and hmac_sha256 in x-signature where it is sent",
)
