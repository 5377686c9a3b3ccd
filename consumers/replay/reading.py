"""Reads given offsets by `assign()`: no group is joined, nothing is committed, and it ends."""

import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, Final, Self

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from config.errors import RelayError, StoppedForSafety
from config.kafka import client_options
from config.kafka_options import SILENT
from config.sections import KafkaSettings
from consumers.consumer import Record
from consumers.fates import KafkaUnavailable, is_passing
from consumers.replay.order import Range, Ranges

PATIENCE_S: Final = 30.0
"""So long may Kafka stay silent before it counts as away."""
_GONE: Final = (KafkaError._UNKNOWN_PARTITION, KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.UNKNOWN_TOPIC_ID)  # noqa: SLF001
_REMOVED: Final = (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE)  # noqa: SLF001
_EOF: Final = KafkaError._PARTITION_EOF  # noqa: SLF001


class Reading:
    """Some partitions, each from its next offset to its end; the ends can be moved on.

    Args:
        kafka: Where the cluster is.
        topic: The topic.
        ranges: Which offsets.
        patience_s: How long Kafka may be silent.
    """

    def __init__(
        self, kafka: KafkaSettings, topic: str, ranges: Ranges, *, patience_s: float = PATIENCE_S
    ) -> None:
        self._topic, self._patience_s = topic, patience_s
        self.next: dict[int, int] = {number: range_.begin for number, range_ in ranges.items()}
        """The next offset of each partition: all before it was handed out."""
        self.ends: dict[int, int] = {number: range_.end for number, range_ in ranges.items()}
        self._left = {number for number in ranges if self.next[number] < self.ends[number]}
        self._kafka = Consumer(client_options(kafka, **_OPTIONS))
        self._kafka.assign([self._at(number, self.next[number]) for number in sorted(self._left)])
        self._assigned = set(self._left)
        self._unsought: set[int] = set()
        self._doubted: dict[int, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._kafka.close()

    @property
    def done(self) -> bool:
        """Whether everything up to the ends was handed out."""
        return not self._left

    @property
    def left(self) -> int:
        """How many offsets are still to come."""
        return sum(self.ends[number] - self.next[number] for number in self._left)

    def extend(self, ends: Mapping[int, int]) -> None:
        """Go on to these ends, where they lie behind the former ones."""
        for number, end in ends.items():
            self.next.setdefault(number, end)
            self.ends[number] = max(end, self.ends.get(number, end))
            if self.next[number] < self.ends[number] and number not in self._left:
                self._left.add(number)
                self._unsought.add(number)

    def read(self, most: int) -> list[Record]:
        """The next records, each partition's in order; empty only when all is done.

        Raises:
            KafkaUnavailable: Kafka was silent for too long.
            RelayError: Retention has removed what was to be read next.
            StoppedForSafety: A partition or the topic is gone.
        """
        until_s = time.monotonic() + self._patience_s
        records: list[Record] = []
        nexts, ends = self.next, self.ends
        while self._left and not records:
            self._seek()
            heard = False
            for message in self._kafka.consume(most, 0.2):
                partition, offset = message.partition(), message.offset()
                if partition is None or offset is None or message.error() is not None:
                    self._on_error(message)
                    continue
                heard = True
                if offset == nexts[partition] < ends[partition] and not self._unsought:  # as nearly always
                    nexts[partition] = offset + 1
                    records.append((partition, offset, offset, message))
                elif self._is_next(partition, offset):
                    if offset < ends[partition]:
                        records.append((partition, nexts[partition], offset, message))
                    nexts[partition] = min(offset + 1, ends[partition])
            self._end()
            if heard:
                until_s = time.monotonic() + self._patience_s
            elif time.monotonic() > until_s:
                raise KafkaUnavailable(f"Kafka has been silent for {self._patience_s:g} s")
        return records

    def _is_next(self, partition: int, offset: int) -> bool:
        """Whether nothing lies between; a hole is believed when it is seen twice, after a seek."""
        if partition not in self._left or partition in self._unsought or offset < self.next[partition]:
            return False
        if offset > self.next[partition] and self._doubted.get(partition) != offset:
            self._doubted[partition] = offset
            self._unsought.add(partition)
            return False
        return True

    def _seek(self) -> None:
        """Have partitions that were paused, or doubted, go on at their next offsets."""
        for number in sorted(self._unsought):
            at = self._at(number, self.next[number])
            if number not in self._assigned:
                self._kafka.incremental_assign([at])
                self._assigned.add(number)
            else:
                try:
                    self._kafka.seek(at)
                except KafkaException:  # an assignment takes a moment to become active
                    continue
                self._kafka.resume([at])
            self._unsought.discard(number)
            with suppress(KafkaException):  # a request wakes librdkafka's thread, which sleeps up to 1 s
                self._kafka.get_watermark_offsets(at, 1.0)

    def _end(self) -> None:
        """Fetch no more of partitions that are at their ends."""
        ended = [number for number in self._left if self.next[number] >= self.ends[number]]
        if ended:
            self._left.difference_update(ended)
            with suppress(KafkaException):
                self._kafka.pause([self._at(number) for number in ended])

    def _on_error(self, message: Message) -> None:
        error, partition = message.error(), message.partition()
        if error is None or partition is None:
            return
        if error.code() == _EOF:
            if self._is_next(partition, offset := message.offset() or 0):
                self.next[partition] = min(offset, self.ends[partition])
        elif error.code() in _REMOVED and partition in self._left:
            raise RelayError(
                f"retention has removed what was to be read next, partition {partition} "
                f"from offset {self.next[partition]} on"
            )
        elif error.code() in _GONE and partition in self._left:
            raise StoppedForSafety(f"partition {partition} of {self._topic} is not there any more")
        elif not is_passing(error):
            raise KafkaException(error)

    def _at(self, partition: int, offset: int = -1001) -> TopicPartition:
        return TopicPartition(self._topic, partition, offset)


_OPTIONS: Final[dict[str, Any]] = {
    "group.id": "session-relay-replay",  # asked for by the library; nothing is joined or committed
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "auto.offset.reset": "error",
    "enable.partition.eof": True,
    "check.crcs": True,
    "isolation.level": "read_committed",
    "logger": SILENT,
}


def rest_of(ranges: Ranges, next_offsets: Mapping[int, int], first: Mapping[int, int]) -> tuple[Ranges, int]:
    """What is left of the ranges, and how many offsets of it retention has removed in the meantime."""
    rest, removed = {}, 0
    for number, range_ in ranges.items():
        begin = max(range_.begin, next_offsets.get(number, range_.begin))
        held = min(range_.end, max(begin, first.get(number, begin)))
        removed += max(0, held - begin)
        rest[number] = Range(max(begin, held), range_.end)
    return rest, removed
