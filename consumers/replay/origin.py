"""Where a replay's records come from: the topic itself, or what stands in its place."""

from collections.abc import Callable, Mapping
from typing import Protocol, Self

from config.sections import KafkaSettings
from consumers.consumer import Record
from consumers.replay.held import Held, Logs
from consumers.replay.order import Ranges
from consumers.replay.reading import Reading


class Source(Protocol):
    """Some partitions, each from its next offset to its end; the ends can be moved on."""

    next: dict[int, int]
    """The next offset of each partition: all before it was handed out."""
    ends: dict[int, int]

    def __enter__(self) -> Self: ...

    def __exit__(self, *_: object) -> None: ...

    @property
    def left(self) -> int:
        """How many offsets are still to come."""
        ...

    def extend(self, ends: Mapping[int, int]) -> None:
        """Go on to these ends, where they lie behind the former ones."""

    def read(self, most: int) -> list[Record]:
        """The next records, each partition's in order; empty only when all is done."""
        ...


class Origin(Protocol):
    """A log, wherever it is kept."""

    held: Held

    def reading(self, ranges: Ranges) -> Source:
        """Read these offsets."""
        ...

    def at_time(self, time_ms: int) -> Mapping[int, int]:
        """By partition, the first offset of that time or a later one; the end where there is none."""
        ...

    def check(self, ranges: Ranges, *, whole: bool, told: Callable[[int], None]) -> None:
        """Refuse what is damaged, before anything is written; `whole`: by reading all of it."""


class LogOrigin:
    """The topic itself.

    Args:
        kafka: Where the cluster is.
        topic: Its name.

    Raises:
        SettingsError: There is no such topic.
        KafkaUnavailable: Kafka did not tell in time.
    """

    def __init__(self, kafka: KafkaSettings, topic: str) -> None:
        self._kafka, self._logs = kafka, Logs(kafka)
        self.held = self._logs.held(topic)

    def reading(self, ranges: Ranges) -> Reading:
        """Read these offsets."""
        return Reading(self._kafka, self.held.topic, ranges)

    def at_time(self, time_ms: int) -> Mapping[int, int]:
        """By partition, the first offset of that time or a later one; the log's end where there is none."""
        return self._logs.at_time(self.held, time_ms)

    def check(self, ranges: Ranges, *, whole: bool, told: Callable[[int], None]) -> None:
        """Nothing: Kafka's own checksums are looked at as records are read."""
