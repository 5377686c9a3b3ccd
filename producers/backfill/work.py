"""The way of every user: list, fetch, publish, note as finished. Several users at once, each one in order."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

import structlog

from producers.backfill.asleep import Days, session, sessions
from producers.backfill.client import Client
from producers.backfill.errors import Absent, Deferred, RequestFailed
from producers.backfill.finished import Finished
from producers.backfill.outlet import Outlet
from producers.backfill.tally import SessionEnd, Tally, UserEnd
from producers.delivery import Context, InvalidDelivery, TooLarge
from producers.redact import Redaction

log = structlog.get_logger()

Ends = dict[str, SessionEnd]
"""What became of one user's sessions, by their ids."""
_DEFERRALS: Final = 3
"""So often a user may meet a vendor that seems away, while it is there for others."""


@dataclass(frozen=True, kw_only=True)
class Work:
    """What the workers share."""

    client: Client
    outlet: Outlet
    days: Days
    context: Callable[[], Context]
    """Made when an answer is there: it says when that was."""
    redaction: Redaction
    finished: Finished | None
    """None in a dry run, which finishes nothing."""
    today: Callable[[], date]
    """In UTC."""
    good_answers: Callable[[], int]
    """How many the vendor has given to anybody."""
    tally: Tally


async def work_through(work: Work, users: Sequence[str], failed: list[str], workers: int) -> None:
    """Do every user; those that fail are added to `failed`.

    Raises:
        ExceptionGroup: What ends it all: the vendor or Kafka is away, or the key is refused.
    """
    line = _Line(users, work.good_answers)
    async with asyncio.TaskGroup() as group:
        for _ in range(min(workers, len(users))):
            group.create_task(_worker(work, line, failed))


class _Line:
    """Who is waiting; those that were deferred stand at its end."""

    def __init__(self, users: Sequence[str], good_answers: Callable[[], int]) -> None:
        self.waiting = deque(users)
        self._good_answers = good_answers
        self._deferrals: Counter[str] = Counter()
        self._answers_then: dict[str, int] = {}
        self._ends: dict[str, Ends] = {}

    def ends(self, user_id: str) -> Ends:
        """What has become of a user's sessions so far; of one who was deferred, what was done before."""
        return self._ends.pop(user_id, {})

    def defer(self, user_id: str, ends: Ends) -> bool:
        """Send a user to the end; False if the others' luck says that it is this one's own fault."""
        answers = self._good_answers()
        self._deferrals[user_id] += answers != self._answers_then.get(user_id)
        self._answers_then[user_id] = answers
        if self._deferrals[user_id] >= _DEFERRALS:
            return False
        self._ends[user_id] = ends
        self.waiting.append(user_id)
        return True


async def _worker(work: Work, line: _Line, failed: list[str]) -> None:
    while line.waiting:
        user_id = line.waiting.popleft()
        ends, listed_on = line.ends(user_id), work.today()
        try:
            end = await _user(work, user_id, ends)
        except Deferred:
            if line.defer(user_id, ends):
                continue
            end = UserEnd.FAILED
        if end is UserEnd.FAILED:
            failed.append(user_id)
        elif end is not UserEnd.UNFINISHED and work.finished is not None:
            work.finished.add(user_id, listed_on)
        work.tally.user(end)


async def _user(work: Work, user_id: str, ends: Ends) -> UserEnd:
    try:
        async for listed in sessions(work.client, user_id, work.days):
            if listed.session_id in ends:
                continue
            end = SessionEnd.UNFINISHED
            if listed.finished:
                end = await _session(work, user_id, listed.session_id)
            work.tally.session(end)
            ends[listed.session_id] = end
    except Absent:
        return UserEnd.UNKNOWN
    except RequestFailed as failed:
        log.warning("user_failed", reason=str(failed))
        return UserEnd.FAILED
    if SessionEnd.UNREADABLE in ends.values():
        return UserEnd.FAILED
    return UserEnd.UNFINISHED if SessionEnd.UNFINISHED in ends.values() else UserEnd.DONE


async def _session(work: Work, user_id: str, session_id: str) -> SessionEnd:
    """Bring one session to Kafka; one that can't be read does not keep its neighbours."""
    try:
        event = await session(work.client, user_id, session_id, work.context, work.redaction)
        if event is None:
            return SessionEnd.UNFINISHED
        await work.outlet.publish(event)
    except Absent:
        return SessionEnd.GONE
    except InvalidDelivery as invalid:
        log.warning("session_unreadable", problems=sorted({one.problem for one in invalid.problems}))
        return SessionEnd.UNREADABLE
    except (RequestFailed, TooLarge) as failed:
        log.warning("session_unreadable", problems=[str(failed) or "too large for Kafka"])
        return SessionEnd.UNREADABLE
    return SessionEnd.PUBLISHED
