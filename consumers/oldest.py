"""How long the oldest record waits that was read and is not written: the one gauge that tells all delays."""

from collections import deque
from collections.abc import Collection, Iterable, Mapping
from typing import NamedTuple

from config.clock import Clock
from schemas.event import MICROSECONDS


class _Waiting(NamedTuple):
    """When the oldest event of some records was received, and the offset behind them, by partition."""

    received_us: int
    ends: Mapping[int, int]


class _Failed(NamedTuple):
    """What of a partition is still to be written, or was all the same."""

    received_us: int
    end: int


class Oldest:
    """Follows batches from their first record to their COMMIT; told by one thread, asked by another."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._growing_us: int | None = None
        self._under_way: deque[_Waiting | None] = deque()
        self._failed: dict[int, _Failed] = {}

    def read(self, received_us: Iterable[int]) -> None:
        """The growing batch has new records, which the relay received at these times."""
        self._growing_us = _least(self._growing_us, min(received_us, default=None))

    def sent(self, ends: Mapping[int, int]) -> None:
        """The growing batch went to the writing thread.

        Args:
            ends: By partition, the offset behind the batch.
        """
        self._under_way.append(self._grown(ends))
        self._growing_us = None  # last, as everywhere here: who asks meanwhile must not find nothing

    def written(self, next_offsets: Mapping[int, int]) -> None:
        """The oldest batch under way is committed."""
        self._under_way.popleft()
        self.settled(next_offsets)

    def failed(self) -> None:
        """The oldest batch under way failed or was dropped: its records may still be to be written."""
        self._add(self._under_way[0])
        self._under_way.popleft()

    def rewound(self, ends: Mapping[int, int]) -> None:
        """The growing batch was given up: its records will be read again."""
        self._add(self._grown(ends))
        self._growing_us = None

    def settled(self, next_offsets: Mapping[int, int]) -> None:
        """The table is so far: what had failed before that is in it, whoever wrote it."""
        if self._failed:
            self._failed = {p: one for p, one in self._failed.items() if next_offsets.get(p, 0) < one.end}

    def forget(self, partitions: Collection[int], *, is_empty: bool) -> None:
        """These partitions are somebody else's, or begin anew.

        A batch that is under way counts until it has ended, and then no more for them.

        Args:
            partitions: Which.
            is_empty: Whether the growing batch has no other.
        """
        self._failed = {p: one for p, one in self._failed.items() if p not in partitions}
        self._under_way = deque(
            one and _Waiting(one.received_us, {p: end for p, end in one.ends.items() if p not in partitions})
            for one in self._under_way
        )
        if is_empty:
            self._growing_us = None

    def age_s(self) -> float:
        """Age of the oldest such record in seconds since the relay received it; 0 when there is none."""
        growing_us = self._growing_us  # in the order in which records go from one to the next
        under_way_us = [one.received_us for one in tuple(self._under_way) if one is not None]
        failed_us = [one.received_us for one in tuple(self._failed.values())]
        oldest_us = _least(growing_us, *under_way_us, *failed_us)
        if oldest_us is None:
            return 0.0
        return max(0.0, (self._clock.now_us() - oldest_us) / MICROSECONDS)

    def _grown(self, ends: Mapping[int, int]) -> _Waiting | None:
        return None if self._growing_us is None else _Waiting(self._growing_us, dict(ends))

    def _add(self, waiting: _Waiting | None) -> None:
        if waiting is None:
            return
        failed = dict(self._failed)  # another, as somebody may be looking through this one
        for partition, end in waiting.ends.items():
            before = failed.get(partition, _Failed(waiting.received_us, end))
            failed[partition] = _Failed(min(before.received_us, waiting.received_us), max(before.end, end))
        self._failed = failed


def _least(*times_us: int | None) -> int | None:
    return min((time_us for time_us in times_us if time_us is not None), default=None)
