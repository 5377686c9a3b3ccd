"""Parking: a bad item beside good ones goes to the dead-letter topic with its bytes and the reason."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

import structlog

from config.health import Dependency
from producers.delivery import Context
from producers.publish import Record
from producers.reading import Rejected
from schemas.event import MICROSECONDS

REASON: Final = "not_an_event"
STAGE: Final = "relay"
_DETAIL_BYTES: Final = 1024
_LOOK_S: Final = 1.0
_AGAIN_S: Final = 2.0
_WELL_S: Final = 30.0

log = structlog.get_logger()


class ParkingPlace:
    """Whether the dead-letter topic is there, looked at beside the requests.

    To find out with a record would take librdkafka half a minute, and the relay to the spool meanwhile.

    Args:
        has: Whether the cluster has the topic, asked within a number of seconds; None: it does not say.
        dependency: Told what is found.
    """

    def __init__(self, has: Callable[[float], bool | None], dependency: Dependency) -> None:
        self.missing = False
        """Known to be missing; where nobody knows, the topic counts as there."""
        self._has, self._dependency = has, dependency

    async def watch(self) -> None:
        """Look again and again, until cancelled."""
        while True:
            found = await asyncio.to_thread(self._has, _LOOK_S)
            if found is not None:
                self._note(found)
            await asyncio.sleep(_WELL_S if found else _AGAIN_S)

    def _note(self, found: bool) -> None:  # noqa: FBT001 - what was asked for
        if found:
            self._dependency.succeeded()
            if self.missing:
                log.info("dead_letters_topic_found")
        else:
            self._dependency.failed("the topic is missing: session-relay topics apply")
            if not self.missing:
                log.warning("dead_letters_topic_missing", mend="session-relay topics apply --execute")
        self.missing = not found


def dead_letter(rejected: Rejected, context: Context, traceparent: str, topic: str) -> Record:
    """The record of one bad item.

    It has no `dlq-origin-*`: it was in no topic before, so its own position is its origin. Nor has it a
    key: whose it is could not be read.
    """
    detail = "; ".join(f"{path}: {text}" if path else text for path, text in rejected.problems)
    told = {
        "dlq-reason": REASON,
        "dlq-detail": detail.encode()[:_DETAIL_BYTES].decode(errors="ignore"),
        "dlq-stage": STAGE,
        "dlq-source": context.source,
        "dlq-tenant": context.tenant,
        "dlq-index": str(rejected.place),
        "dlq-failed-at": datetime.fromtimestamp(context.received_at_us / MICROSECONDS, UTC).isoformat(),
        "dlq-redrives": "0",
        "content-type": "application/json",
        "traceparent": traceparent,
    }
    return Record(topic, None, rejected.body, [(name, text.encode()) for name, text in told.items()])
