"""Asleep's data API: its answers read as the webhook's `data` are, so that the same night is the same event.

`GET /data/v1/sessions` lists a user's sessions (`date_gte`, `date_lte`, `order_by`, `offset`, `limit` up to
100) without their nights; `GET /data/v3/sessions/{id}` tells one whole. Both want `x-api-key` and
`x-user-id`, take `timezone`, and answer `{"detail": …, "result": {…}}`.

The `result` of one session has the fields of the webhook's `data` but for `user_id`, which is the one that
was asked for. Every fact comes from where `asleep.py` takes it, `occurred_at` from `session.end_time` too.
Neither `result.timezone`, an echo of the request, nor `session.created_timezone` is a fact: the webhook's
`session.timezone` alone is one, wherever it comes from.

| state of a session | read as |
| --- | --- |
| `OPEN`, `CLOSED` | not finished: no event yet |
| any other, above all `COMPLETE` | SESSION_COMPLETE |

Sources: Asleep's public pages "[GET] List Sessions", "[GET] Get Session" and "Webhook" (docs-en.asleep.ai),
and the REST reference in the vendor's public `sleeptrack-skills`.
"""

from typing import Any, Final, NamedTuple

from producers.delivery import Context, InvalidDelivery, NotJson
from producers.sources import asleep
from producers.sources.event import finished
from producers.sources.facts import Facts, is_identifier
from producers.sources.json_object import read_object
from schemas.event import EventType, SessionEvent

UNFINISHED: Final = frozenset({"OPEN", "CLOSED"})
"""States in which the analysis still goes on."""
_NO_SEGMENTS: Final = frozenset({".", ".."})
"""They would lead to another path of the API."""


class UnreadableAnswer(Exception):
    """An answer that is not what the API promises; the text says which part, without a value."""


class Listed(NamedTuple):
    """A session as the list tells it."""

    session_id: str
    finished: bool


def read_page(body: bytes) -> list[Listed]:
    """Read one page of the list of sessions.

    Raises:
        UnreadableAnswer: It is none.
    """
    sessions = _result(body).get("sleep_session_list")
    if not isinstance(sessions, list):
        raise UnreadableAnswer("result.sleep_session_list is no list")
    return [_listed(session) for session in sessions]


def _listed(session: Any) -> Listed:
    session_id = session.get("session_id") if isinstance(session, dict) else None
    if not is_identifier(session_id) or session_id in _NO_SEGMENTS:
        raise UnreadableAnswer("a session has no session_id")
    return Listed(str(session_id), finished=_is_finished(session))


def read_session(body: bytes, user_id: str, session_id: str, context: Context) -> SessionEvent | None:
    """Read one session: None if it is not finished.

    Args:
        body: The answer's bytes, kept as `raw`.
        user_id: Whose sessions were asked for.
        session_id: Which one.
        context: Where and when it came in.

    Raises:
        UnreadableAnswer: It is no session, or another one.
        InvalidDelivery: It is that session, but can be no event.
    """
    result = _result(body)
    session = result.get("session")
    if not isinstance(session, dict):
        raise UnreadableAnswer("result.session is no object")
    if session.get("id") != session_id or result.get("session_id", session_id) != session_id:
        raise UnreadableAnswer("it is another session")
    if result.get("user_id", user_id) != user_id:
        raise UnreadableAnswer("it is another user's")
    if not _is_finished(session):
        return None
    result.pop("user_id", None)
    facts = Facts([("result.", result)], [])
    fields = {"type": EventType.SESSION_COMPLETE, "user_id": user_id} | asleep.session_fields(facts)
    return finished(body, context, facts, asleep.NORMALISER, fields)


def _is_finished(session: dict[str, Any]) -> bool:
    state = session.get("state")
    if state is not None and not isinstance(state, str):
        raise UnreadableAnswer("the state of a session is no text")
    return state not in UNFINISHED


def _result(body: bytes) -> dict[str, Any]:
    try:
        told = read_object(body)
    except NotJson:
        raise UnreadableAnswer("not JSON") from None
    except InvalidDelivery as invalid:
        raise UnreadableAnswer(invalid.problems[0].problem) from None
    result = told.get("result")
    if not isinstance(result, dict):
        raise UnreadableAnswer("result is no object")
    return result


def is_rate_limit(body: bytes) -> bool:
    """Whether a 403 means "slower" instead of "no": the API has no other sign of it than its `detail`."""
    return "rate limit" in _detail(body).lower()


def is_about_what_was_asked(body: bytes) -> bool:
    """Whether a 404 is about a user or a session: that of a proxy or of a wrong path is not the API's."""
    return _detail(body) not in {"", "Not Found"}


def is_about_the_user(body: bytes) -> bool:
    """Whether a 401 is about the user asked for, not about the key."""
    return _detail(body) in {"user_id is invalid", "x-user-id is invalid"}


def _detail(body: bytes) -> str:
    try:
        detail = read_object(body).get("detail")
    except (NotJson, InvalidDelivery):
        return ""
    return detail if isinstance(detail, str) else ""
