"""What the relay answers: one table from each outcome to its status.

Errors are problem details (RFC 9457). None of them repeats a value of the request.
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any, Final, NamedTuple

import msgspec

from producers import coding, delivery
from producers.delivery import MAX_PROBLEMS, InvalidDelivery, RateLimited, Refusal, Whereabouts
from producers.reading import Accepted, Rejected
from schemas.codec import Problem

_MAX_PATH: Final = 255
"""Characters of a path that are told: a sender's own names may be as long as the body."""
_SAFE: Final[dict[Whereabouts, int]] = {"queued": 200, "spooled": 202}
_RETRY: Final = ("retry-after", "5")


class Answer(NamedTuple):
    """A whole answer, but for the request id among its headers."""

    status: int
    media_type: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()
    reason: str | None = None
    """Why it is refused, for the log: one of a closed set."""


class _Problem(NamedTuple):
    status: HTTPStatus
    reason: str
    detail: str
    headers: tuple[tuple[str, str], ...] = ()


_TABLE: Final[dict[type[Refusal], _Problem]] = {
    delivery.NotJson: _Problem(HTTPStatus.BAD_REQUEST, "not_json", "The body is not JSON in UTF-8."),
    delivery.NotDecodable: _Problem(
        HTTPStatus.BAD_REQUEST, "not_decodable", "The body is not what its content coding says."
    ),
    delivery.Unauthenticated: _Problem(  # RFC 9110, section 15.5.2: a challenge must be told
        HTTPStatus.UNAUTHORIZED,
        "unauthenticated",
        "The delivery does not prove where it comes from.",
        (("www-authenticate", "Webhook"),),
    ),
    delivery.Incomplete: _Problem(
        HTTPStatus.REQUEST_TIMEOUT, "incomplete", "The body did not arrive, or not in time."
    ),
    delivery.TooLarge: _Problem(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_large", "The delivery is larger than is taken here."
    ),
    delivery.UnsupportedMedia: _Problem(
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media", "Only application/json is taken here."
    ),
    delivery.UnsupportedCoding: _Problem(  # RFC 9110, section 12.5.3: no other 415 tells codings
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        "unsupported_coding",
        "Only one content coding is taken here, gzip or deflate.",
        (("accept-encoding", ", ".join(coding.NAMES)),),
    ),
    delivery.InvalidDelivery: _Problem(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "invalid",
        "The body is JSON, but no event; problems lists what is wrong.",
    ),
    delivery.RateLimited: _Problem(
        HTTPStatus.TOO_MANY_REQUESTS,
        "rate_limited",
        "There were too many requests; Retry-After says when to send it again.",
    ),
    delivery.NotAcknowledged: _Problem(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "unavailable",
        "The delivery is not safe yet; send it again.",
        (_RETRY,),
    ),
}


def accepted(safe: Accepted) -> Answer:
    """All of it is safe, in Kafka or in the spool; `rejected` lists the items that are no events."""
    event_ids, rejected, whereabouts, _ = safe
    if rejected:
        told = {"status": whereabouts, "event_ids": event_ids, "rejected": _rejected(rejected)}
        return Answer(_SAFE[whereabouts], "application/json", msgspec.json.encode(told))
    ids = '","'.join(event_ids)  # UUIDs: nothing to escape
    body = f'{{"status":"{whereabouts}","event_ids":["{ids}"]}}'.encode()
    return Answer(_SAFE[whereabouts], "application/json", body)


def batch(results: Sequence[Accepted | Refusal]) -> Answer:
    """What became of each delivery of a batch, in its order (207, RFC 4918, section 11.1)."""
    refusals = [type(one) for one in results if isinstance(one, Refusal)]
    most = max(1, MAX_PROBLEMS // max(1, len(refusals)))  # of each, so that the answer stays small
    told = [_told(one, most) if isinstance(one, Refusal) else _safe(one) for one in results]
    later = (_RETRY,) if delivery.NotAcknowledged in refusals else ()
    return Answer(HTTPStatus.MULTI_STATUS.value, "application/json", msgspec.json.encode(told), later)


def _safe(accepted: Accepted) -> dict[str, Any]:
    told = {"status": _SAFE[accepted.whereabouts], "event_ids": accepted.event_ids}
    return told | {"rejected": _rejected(accepted.rejected)} if accepted.rejected else told


def _told(refusal: Refusal, most: int) -> dict[str, Any]:
    told = _TABLE[type(refusal)]
    problems = _listed(refusal.problems, most) if isinstance(refusal, InvalidDelivery) else {}
    return {"status": told.status.value, "detail": told.detail, **problems}


def refused(refusal: Refusal, request_id: str) -> Answer:
    """What the table says."""
    told = _TABLE[type(refusal)]
    extra: dict[str, Any] = {}
    headers = told.headers
    if isinstance(refusal, InvalidDelivery):
        extra = _listed(refusal.problems)
    elif isinstance(refusal, RateLimited):
        headers = _limits(refusal)
    reason = refusal.reason if isinstance(refusal, delivery.NotAcknowledged) else told.reason
    return problem(told.status, told.detail, request_id, reason, headers, **extra)


def _limits(refusal: RateLimited) -> tuple[tuple[str, str], ...]:
    """When to come back (RFC 6585, section 4), and from what (draft-ietf-httpapi-ratelimit-headers-10)."""
    after_s = refusal.retry_after_s
    return (
        ("retry-after", str(after_s)),
        ("ratelimit-policy", refusal.policy),
        ("ratelimit", f'"{refusal.by}";r=0;t={after_s}'),
    )


def _rejected(rejected: Sequence[Rejected]) -> list[dict[str, Any]]:
    most = max(1, MAX_PROBLEMS // len(rejected))  # of each, so that the answer stays small
    return [{"index": one.place, **_listed(one.problems, most)} for one in rejected]


def _listed(problems: Sequence[Problem], most: int = MAX_PROBLEMS) -> dict[str, Any]:
    shown = [{"path": _shortened(one.path), "problem": one.problem} for one in problems[:most]]
    left_out = len(problems) - len(shown)
    return {"problems": shown, "problems_left_out": left_out} if left_out else {"problems": shown}


def _shortened(path: str) -> str:
    return path if len(path) <= _MAX_PATH else f"{path[:_MAX_PATH]}…"


def not_found(request_id: str) -> Answer:
    """No such route, or no such source."""
    return problem(HTTPStatus.NOT_FOUND, "There is nothing here.", request_id, "not_found")


def wrong_method(allowed: str, request_id: str) -> Answer:
    """The route knows other methods."""
    detail = f"Only {allowed} is answered here."
    return problem(HTTPStatus.METHOD_NOT_ALLOWED, detail, request_id, "wrong_method", (("allow", allowed),))


def failed(request_id: str) -> Answer:
    """A mistake of ours."""
    return problem(HTTPStatus.INTERNAL_SERVER_ERROR, "The relay failed; send it again.", request_id, "failed")


def problem(
    status: HTTPStatus,
    detail: str,
    request_id: str,
    reason: str,
    headers: tuple[tuple[str, str], ...] = (),
    **extra: Any,
) -> Answer:
    """Problem details, with more members where there is more to say; the reason is for the log alone."""
    body = {
        "type": "about:blank",  # the status says it all (RFC 9457, section 4.2.1)
        "title": status.phrase,
        "status": status.value,
        "detail": detail,
        "request_id": request_id,
        **extra,
    }
    return Answer(status.value, "application/problem+json", msgspec.json.encode(body), headers, reason)
