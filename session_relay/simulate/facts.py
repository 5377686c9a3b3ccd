"""What one delivery says, in the sender's own terms, whatever its spelling.

Two deliveries with equal facts are one event; everything that is compared here is part of its identity.
"""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, Self

from session_relay.simulate.figures import figures_of
from session_relay.simulate.nights import Night

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""The time of an event whose vendor tells none."""
ASLEEP: Final = "asleep"
GENERIC: Final = "generic"
_NOT_SCORED: Final = 255


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """One event as its sender knows it.

    Attributes:
        source: The name of the relay's source it is sent to.
        type: What happened; a name that the relay does not know counts as UNKNOWN.
        occurred_at: By the vendor's documented rule: Asleep's SESSION_COMPLETE at the session's end, its
            INFERENCE_COMPLETE never (1970-01-01); the generic vendor says it itself.
        utc_offset_s: The sleeper's clock at the start, where the sender tells it; no part of the identity.
        stages: One byte an epoch, 255 for none; None where the event carries no hypnogram.
        statistics: Sorted pairs, durations in seconds and shares 0 to 1; None where it carries none.
        attributes: What must be found among the row's attributes; no part of the identity.
    """

    source: str
    type: str
    user_id: str
    session_id: str | None
    sequence: int = 0
    occurred_at: datetime = EPOCH
    start: datetime | None = None
    end: datetime | None = None
    timezone: str | None = None
    utc_offset_s: int | None = field(default=None, compare=False)
    stages: bytes | None = None
    epoch_s: int = 30
    statistics: tuple[tuple[str, float | int], ...] | None = None
    attributes: tuple[tuple[str, str], ...] = field(default=(), compare=False)

    def with_night(self, night: Night, keep: frozenset[str] | None = None) -> Self:
        """The same event about this night: its stages, and its figures, or those named in `keep`."""
        figures = figures_of(night.stages, night.epoch_s)
        kept = sorted((name, value) for name, value in figures.items() if keep is None or name in keep)
        return replace(self, stages=packed(night.stages), epoch_s=night.epoch_s, statistics=tuple(kept))


def packed(stages: tuple[int, ...]) -> bytes:
    """One byte an epoch; none is 255."""
    return bytes(_NOT_SCORED if stage < 0 else stage for stage in stages)


def unpacked(stages: bytes) -> list[int]:
    """The stages as vendors write them: numbers, -1 for none."""
    return [-1 if stage == _NOT_SCORED else stage for stage in stages]
