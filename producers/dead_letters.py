"""Parking: a bad item beside good ones goes to the dead-letter topic with its bytes and the reason."""

from datetime import UTC, datetime
from typing import Final

from producers.delivery import Context
from producers.publish import Record
from producers.reading import Rejected
from schemas.event import MICROSECONDS

REASON: Final = "not_an_event"
STAGE: Final = "relay"
_DETAIL_BYTES: Final = 1024


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
