"""One user of Asleep's: the list of sessions page by page, then each finished session."""

from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final
from urllib.parse import quote

from producers.backfill.client import Client
from producers.backfill.errors import RequestFailed
from producers.delivery import Context
from producers.redact import ATTRIBUTE, Redaction, Unreadable
from producers.sources.asleep_api import Listed, UnreadableAnswer, read_page, read_session
from schemas.event import SessionEvent

_LIMIT: Final = 100
"""The most that one page may be asked for (public page "[GET] List Sessions")."""
_WRAPPERS: Final = frozenset({"data", "callback_data"})
"""Of the webhook; in the API's answers it is `result`."""
_MAX_PAGES: Final = 1_000
"""A hundred thousand nights: pages that go on beyond have no end."""


@dataclass(frozen=True, kw_only=True)
class Days:
    """The days in UTC on which sessions began, both ends included."""

    first: date
    last: date


async def sessions(client: Client, user_id: str, days: Days) -> AsyncIterator[Listed]:
    """List a user's sessions, oldest first, each one once.

    Each page begins with the last session of the one before. If it is not there, one before it has been
    deleted meanwhile, and another has slipped through: then the list is read anew.

    Raises:
        Absent: There is no such user.
        RequestFailed: The list can't be had, or does not end.
    """
    known: set[str] = set()
    last, offset, furthest = "", 0, 0
    for _ in range(_MAX_PAGES):
        query: dict[str, str | int] = {
            "date_gte": days.first.isoformat(),
            "date_lte": days.last.isoformat(),
            "order_by": "ASC",
            "offset": offset,
            "limit": _LIMIT,
        }
        page = await client.get("/data/v1/sessions", user_id, query, read_page)
        joins = offset == 0 or any(session.session_id == last for session in page)
        new = False
        for session in page:
            if session.session_id not in known:
                known.add(session.session_id)
                new = True
                yield session
        if not joins:
            offset, furthest = 0, offset + len(page)
            continue
        if len(page) < _LIMIT:
            return
        if not new and offset >= furthest:  # before that, a list that is read anew has nothing new
            raise RequestFailed("the list repeats itself")
        last = page[-1].session_id
        offset += len(page) - 1
        furthest = max(furthest, offset)
    raise RequestFailed("the list does not end")


async def session(
    client: Client, user_id: str, session_id: str, context: Callable[[], Context], redaction: Redaction
) -> SessionEvent | None:
    """Fetch one session; None if it is not finished.

    Raises:
        Absent: It is gone.
        RequestFailed: It can't be had.
        InvalidDelivery: It can be no event.
    """

    def read(body: bytes) -> SessionEvent | None:
        return read_redacted(body, user_id, session_id, context(), redaction)

    return await client.get(f"/data/v3/sessions/{quote(session_id, safe='')}", user_id, {}, read)


def redaction_of(paths: Sequence[str]) -> Redaction:
    """What a source's `redact` takes out of webhooks, from where it stands in the API's answers."""
    inside = []
    for path in paths:
        first, _, rest = path.partition(".")
        inside.append(f"result.{rest if rest and first in _WRAPPERS else path}")
    return Redaction([*paths, *inside])


def read_redacted(
    body: bytes, user_id: str, session_id: str, context: Context, redaction: Redaction
) -> SessionEvent | None:
    """Read one session without what must not be kept; otherwise as `read_session`."""
    try:
        clean, found = redaction.apply(body)
    except Unreadable:
        raise UnreadableAnswer("not JSON") from None
    event = read_session(clean, user_id, session_id, context)
    if event is not None and found:
        event.attributes[ATTRIBUTE] = ",".join(found)
    return event
