"""What a backfill has done so far: numbers only, for the progress bar, the summary and the metrics."""

from dataclasses import dataclass, field
from enum import StrEnum

from config import metrics


class SessionEnd(StrEnum):
    """What became of one session; the `outcome` of `backfill_sessions_total`."""

    PUBLISHED = "published"
    UNFINISHED = "unfinished"
    """The vendor's analysis still goes on."""
    GONE = "gone"
    """Listed, and then not there."""
    UNREADABLE = "unreadable"
    """Refused by the vendor or no event: its user counts as failed."""


class UserEnd(StrEnum):
    """How one user ended; the `outcome` of `backfill_users_total`."""

    DONE = "done"
    UNFINISHED = "unfinished"
    """All that is finished is published; some of it is not finished yet."""
    UNKNOWN = "unknown"
    """The vendor has no such user."""
    FAILED = "failed"


@dataclass(slots=True, kw_only=True)
class Tally:
    """Counts of one run; written by its event loop, read by whoever shows it."""

    users: int = 0
    """Users that were asked for."""
    earlier: int = 0
    """Of these, done by an earlier run."""
    requests: int = 0
    repeats: int = 0
    """Requests that were made again."""
    sessions: dict[SessionEnd, int] = field(default_factory=lambda: dict.fromkeys(SessionEnd, 0))
    ended: dict[UserEnd, int] = field(default_factory=lambda: dict.fromkeys(UserEnd, 0))
    stopped: bool = False
    """Whether a signal ended it before all users were done."""

    @property
    def left(self) -> int:
        """Users that are still to be done."""
        return self.users - self.earlier - sum(self.ended.values())

    @property
    def complete(self) -> bool:
        """Whether every user is done, as far as the vendor knows them."""
        return self.left == 0 and not self.ended[UserEnd.FAILED]

    def begin(self, users: int, earlier: int) -> None:
        """Note how many users were asked for, and how many an earlier run did."""
        self.users, self.earlier = users, earlier
        metrics.BACKFILL_USERS_LEFT.set(self.left)

    def session(self, end: SessionEnd) -> None:
        """Count one session."""
        self.sessions[end] += 1
        metrics.BACKFILL_SESSIONS.labels(outcome=end.value).inc()

    def user(self, end: UserEnd) -> None:
        """Count one user."""
        self.ended[end] += 1
        metrics.BACKFILL_USERS.labels(outcome=end.value).inc()
        metrics.BACKFILL_USERS_LEFT.set(self.left)

    def figures(self) -> dict[str, int]:
        """All of it by name, in the order in which it is told."""
        return {
            "users": self.users,
            "earlier": self.earlier,
            **{f"users_{end.value}": count for end, count in self.ended.items()},
            "left": self.left,
            **{f"sessions_{end.value}": count for end, count in self.sessions.items()},
            "requests": self.requests,
            "repeats": self.repeats,
        }
