"""One delivery as it comes in, and every reason for which it is turned away.

A refusal never carries a value of the delivery: its text goes into answers and logs.
"""

from collections.abc import Callable, Sequence
from typing import Final, Literal, NamedTuple, Protocol

from schemas.codec import Problem
from schemas.event import SessionEvent

MAX_PROBLEMS: Final = 100
"""Problems that one answer lists; a body of 1 MiB could have a hundred thousand."""


class Headers(Protocol):
    """A request's headers; names in lower case, values that are not visible ASCII left out."""

    def get(self, key: str, default: str | None = None) -> str | None:
        """The first value of a header."""
        ...

    def get_all(self, key: str) -> Sequence[str]:
        """Every value of a header, in order."""
        ...

    def __contains__(self, key: str) -> bool:
        """Whether the header was sent at all, readable or not."""
        ...


class Context(NamedTuple):
    """What a normaliser has to know besides the body."""

    source: str
    tenant: str
    received_at_us: int
    keep_raw: bool = True
    claimed_user_ids: Sequence[str | None] = ()
    """Each `x-user-id` that was sent; None for one that can't be read."""
    part: str = ""
    """Of an item: the name of the list in the delivery that held it."""


Normalise = Callable[[bytes, Context], list[SessionEvent]]
"""Body and context to events; pure. Raises NotJson, InvalidDelivery."""


Whereabouts = Literal["queued", "spooled"]
"""Where a delivery is safe: in Kafka, or on this machine's disk."""


class Refusal(Exception):
    """A delivery that is not taken; `web` has one table from each kind to its status."""


class Unauthenticated(Refusal):
    """A proof that the source demands is missing or wrong; which one is nobody's business."""


class NotJson(Refusal):
    """The body is not one JSON text in UTF-8."""


class UnsupportedMedia(Refusal):
    """The body is declared as something else than JSON."""


class UnsupportedCoding(Refusal):
    """The body is in a content coding that is not known here, or in several."""


class NotDecodable(Refusal):
    """The body is not what its content coding says."""


class TooLarge(Refusal):
    """More bytes than the relay, or Kafka, takes."""


class Incomplete(Refusal):
    """The body did not arrive, or not in time."""


class InvalidDelivery(Refusal):
    """JSON that is not an event; `problems` says all that is wrong with it."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(f"{len(problems)} problems")
        self.problems = list(problems)


class RateLimited(Refusal):
    """Too many requests for now.

    Args:
        by: Which limit it was, `address` or `source`.
        policy: What that limit allows, as `RateLimit-Policy` tells it.
        retry_after_s: Whole seconds until one more would be taken.
    """

    def __init__(self, by: str, policy: str, retry_after_s: int) -> None:
        super().__init__(by)
        self.by, self.policy, self.retry_after_s = by, policy, retry_after_s


class NotAcknowledged(Refusal):
    """It is not safe: the sender has to try again. It may still arrive: a repeat is harmless.

    Args:
        reason: One of a closed set, for logs: `dead_letters_refused`, `deadline`, `queue_full`, `refused`,
            `shutting_down`, `spool_full`, `spool_unavailable`.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
