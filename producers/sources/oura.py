"""Oura: a webhook that only says that something changed; the sleep itself has to be fetched.

| fact of the event | where from |
| --- | --- |
| type | `data_type` sleep: SESSION_CHANGED for `event_type` create and update, SESSION_DELETED for delete; |
| | any other `data_type` or `event_type` is UNKNOWN and stays in attributes |
| user_id | `user_id`; a sent `x-user-id` has to equal it |
| session_id | `object_id` of `data_type` sleep, the id of the sleep document; needed for a delete alone |
| occurred_at | `event_time`, for every type; 1970-01-01 if it is left out |
| attributes | everything else, the type's own words included |

Only a `sleep` document is a session: `daily_sleep` and the like have documents, and ids, of their own. Oura
orders nothing but by `event_time`; of two with the same, the last received wins. A delete ends its session
for good, whatever comes after it.

An address is registered by a challenge: GET with `verification_token` and `challenge`, answered with the
latter.

Sources: Oura's API documentation, "Webhook Subscription Routes", names the types and the token; the body,
the challenge and the signature (of timestamp and body, with the client's secret, in `x-oura-signature`) are
those of the public code of open-wearables (its `oura/webhook_handler.py`).
"""

import hmac
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import parse_qs

import msgspec

from producers.delivery import Context
from producers.sources.event import finished, user_of
from producers.sources.facts import Facts
from producers.sources.json_object import read_object
from producers.sources.vendor import Vendor
from schemas.event import EventType, SessionEvent

NORMALISER: Final = 1
"""Raised when the same bytes are read differently."""
_SLEEP: Final = "sleep"
_TYPES: Final = {
    "create": EventType.SESSION_CHANGED,
    "update": EventType.SESSION_CHANGED,
    "delete": EventType.SESSION_DELETED,
}
_MAX_PARAMETERS: Final = 16


def normalise(body: bytes, context: Context) -> list[SessionEvent]:
    """Read one delivery, which carries one event.

    Raises:
        NotJson: The body is no JSON.
        InvalidDelivery: It is no event of Oura's.
    """
    facts = Facts([("", read_object(body))], [])
    told = {name: facts.text(name, required=True) or "" for name in ("event_type", "data_type")}
    kind = _TYPES.get(told["event_type"], EventType.UNKNOWN)
    if told["data_type"] != _SLEEP:
        kind = EventType.UNKNOWN
    fields: dict[str, Any] = {"type": kind, "user_id": user_of(facts, context, kind)}
    if kind is not EventType.UNKNOWN:
        fields["session_id"] = facts.text("object_id", required=kind is EventType.SESSION_DELETED)
    fields["occurred_at"] = facts.time_us("event_time") or 0
    fields["attributes"] = facts.rest() | told
    return [finished(body, context, facts, NORMALISER, fields)]


def challenge(query: str, tokens: Sequence[bytes]) -> bytes | None:
    """Answer the challenge of an address, if it brings one of the tokens, and each parameter once."""
    try:
        told = parse_qs(
            query,
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=_MAX_PARAMETERS,
        )
    except ValueError:
        return None
    given, asked = told.get("verification_token", []), told.get("challenge", [])
    if len(given) != 1 or len(asked) != 1:
        return None
    passed = False
    for token in tokens:  # all of them, so that time doesn't tell which one it was
        passed |= hmac.compare_digest(given[0].encode(), token)
    return msgspec.json.encode({"challenge": asked[0]}) if passed else None


VENDOR: Final = Vendor(
    name="oura",
    about="Ids of what changed, or was deleted; the sleep itself has to be fetched.",
    normalise=normalise,
    occurred_at=dict.fromkeys(
        (EventType.SESSION_CHANGED, EventType.SESSION_DELETED, EventType.UNKNOWN), "event_time"
    ),
    schemes="hmac_sha256 in x-oura-signature, with timestamp_header x-oura-timestamp",
    challenge=challenge,
)
