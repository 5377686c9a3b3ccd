"""Deliveries of invented nights, in every spelling, and the proofs that belong to them."""

import hmac
import json
from typing import Any

from producers.delivery import Context

API_KEY = "a-key-that-only-tests-know"
SIGNING_KEY = "a-signing-key-that-only-tests-know"
USER = "sleeper-ß-0007"
SESSION = "20260214220500_q7w2e"
STAGES = [-1, 0, 0, 1, 1, 2, 2, 3, 0]
STAGE_BYTES = bytes([255, 0, 0, 1, 1, 2, 2, 3, 0])
START, END = "2026-02-14T22:05:00+01:00", "2026-02-15T06:35:30.25+01:00"
START_US, END_US = 1_771_103_100_000_000, 1_771_133_730_250_000
RECEIVED_US = 1_771_140_000_000_001


class Sent:
    """Headers as the relay sees them: lower case, several values of one name possible."""

    def __init__(self, *pairs: tuple[str, str], unreadable: tuple[str, ...] = ()) -> None:
        self._pairs, self._unreadable = pairs, unreadable

    def get(self, key: str, default: str | None = None) -> str | None:
        return next(iter(self.get_all(key)), default)

    def get_all(self, key: str) -> list[str]:
        return [value for name, value in self._pairs if name == key]

    def __contains__(self, key: str) -> bool:
        return bool(self.get_all(key)) or key in self._unreadable


def context(*claims: str | None, source: str = "asleep", keep_raw: bool = True) -> Context:
    return Context(source, "a-tenant", RECEIVED_US, keep_raw, claims)


def as_body(told: object) -> bytes:
    return json.dumps(told).encode()


def signed(body: bytes, user: str | None = None) -> dict[str, str]:
    """Headers of a delivery that passes both schemes of the tests' `asleep` source."""
    signature = hmac.new(SIGNING_KEY.encode(), body, "sha256").hexdigest()
    claim = {} if user is None else {"x-user-id": user}
    return {"content-type": "application/json", "x-api-key": API_KEY, "x-signature": signature, **claim}


def asleep_session(spelling: str = "documented", **stat: Any) -> dict[str, Any]:
    """One and the same night, as the three spellings tell it."""
    stages = "stage_list" if spelling == "callback" else "sleep_stages"
    session = {"id": SESSION, "state": "COMPLETE", "start_time": START, "end_time": END, stages: STAGES}
    figures = {"time_in_bed": 30630, "sleep_efficiency": 0.8376, "sleep_cycle": 2, **stat}
    return _wrapped(
        spelling,
        "SESSION_COMPLETE",
        {"user_id": USER, "session_id": SESSION, "session": session, "stat": figures},
    )


def asleep_inference(spelling: str = "documented", number: int = 12, user: str = USER) -> dict[str, Any]:
    """One and the same inference, as the three spellings tell it."""
    stages = "stage_list" if spelling == "callback" else "sleep_stages"
    told = {
        "user_id": user,
        "session_id": SESSION,
        "inference_seq_num": number,
        "seq_num": 120,
        stages: [0, 1, 2],
    }
    return _wrapped(spelling, "INFERENCE_COMPLETE", told)


def _wrapped(spelling: str, event: str, told: dict[str, Any]) -> dict[str, Any]:
    match spelling:
        case "documented":
            return {"event": event, "version": "V3", "data": told}
        case "callback":
            return {"callback_event": event, "callback_version": "V2", "callback_data": told}
        case _:
            return {"event": event, "timestamp": "2026-02-15T07:00:00Z", **told}


def generic_session(**told: Any) -> dict[str, Any]:
    return {
        "type": "SESSION_COMPLETE",
        "user_id": USER,
        "session_id": SESSION,
        "sequence": 3,
        "occurred_at": END,
        "session_start_time": START,
        "session_end_time": END,
        "timezone": "Europe/Berlin",
        "sleep_stages": STAGES,
        "statistics": {"time_in_bed": 30630, "waso_count": 4},
        "attributes": {"device": "ring"},
        **told,
    }
