"""The only place that talks to Kafka's consumer, from the polling thread alone.

It hands out records of partitions whose place is known, in order and without a hole that it has not
looked at twice. An assigned partition starts paused; a partition that was paused has lost what
librdkafka had fetched of it, so it is always sought before it goes on.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, Final

import structlog
from confluent_kafka import Consumer as KafkaConsumer
from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition

from consumers.fates import KafkaUnavailable, is_passing
from consumers.member import Member

log = structlog.get_logger()

Partitions = frozenset[int]
Record = tuple[int, int, int, Message]
"""Partition, the offset that was expected, the offset that came, and the message as librdkafka has it."""

_ADVICE_S: Final = 1.0
_REPLACE_ON: Final = (
    KafkaError._AUTO_OFFSET_RESET,  # noqa: SLF001 - the library's own name
    KafkaError._UNKNOWN_PARTITION,  # noqa: SLF001 - likewise
    KafkaError.OFFSET_OUT_OF_RANGE,
    KafkaError.UNKNOWN_TOPIC_OR_PART,
)


class Consumer:
    """A group member's assigned partitions: each is either unplaced and paused, or read from its next offset.

    Args:
        options: librdkafka's settings.
        topic: The one topic that is read.
        before_revoke: Called with partitions that are about to go to another member, while they are still
            this one's: the time to finish and commit.
        after_loss: Called with partitions whose records that are not written yet are void: they were
            lost to another member, or have to be placed anew.
        on_statistics: Told every second what librdkafka tells of itself.
    """

    def __init__(
        self,
        options: Mapping[str, Any],
        topic: str,
        *,
        before_revoke: Callable[[Partitions], None],
        after_loss: Callable[[Partitions], None],
        on_statistics: Callable[[Mapping[str, Any]], None] = lambda _: None,
    ) -> None:
        self._topic, self._before_revoke, self._after_loss = topic, before_revoke, after_loss
        self.unplaced: set[int] = set()
        """Assigned partitions whose place is not known (any more)."""
        self.next: dict[int, int] = {}
        """The next offset to hand out of each placed partition."""
        self._read_before: dict[int, int] = {}
        """Where what is read again ends, of partitions that the group had committed once."""
        self._unsought: dict[int, int] = {}
        self._doubted: dict[int, int] = {}
        self._was_rebalanced = False
        """And what stays was not woken since: librdkafka has paused and resumed it."""
        self._ended: set[int] = set()
        """Partitions that librdkafka gave up: their offset is not in the log, and no seek wakes them."""
        self._member = Member(
            options,
            topic,
            on_assign=self._assign,
            on_revoke=self._revoke,
            on_lost=self._lose,
            on_statistics=on_statistics,
        )

    @property
    def assigned(self) -> Partitions:
        """Partitions that are this member's now."""
        return frozenset(self.unplaced | set(self.next))

    def read(self, most: int, timeout_s: float) -> list[Record]:
        """Poll: the next records of placed partitions, each partition's in order from its next offset.

        Rebalances happen in here. Also to be called when nothing is wanted, to stay in the group.
        """
        if self._member.is_stranded:
            self._begin_anew()
        self._seek_unsought()
        if not self.next:
            message = self._member.kafka.poll(timeout_s)
            messages = [message] if message is not None else []
        else:
            messages = self._member.kafka.consume(most, timeout_s)
        records: list[Record] = []
        for message in messages:
            partition, offset = message.partition(), message.offset()
            if partition is None or offset is None or message.error() is not None:
                self._as_next(message)
            elif offset == self.next.get(partition):  # as nearly always
                self.next[partition] = offset + 1
                records.append((partition, offset, offset, message))
            elif (record := self._as_next(message)) is not None:
                records.append(record)
        # an error further on may have voided what came before it
        return [record for record in records if record[0] in self.next]

    def place(self, begins: Mapping[int, int]) -> None:
        """Let these partitions go on at these offsets, those that are still assigned and unplaced."""
        for partition, begin in begins.items():
            if partition in self.unplaced:
                self.unplaced.discard(partition)
                self.next[partition] = begin
                self._unsought[partition] = begin
        self._seek_unsought()

    def committed_before(self, partitions: Iterable[int]) -> Mapping[int, int]:
        """How far the group has committed these partitions of ours, those of which it has committed anything.

        While one of them is read again, this is where that ends: `commit` says so beside the offset.
        Advice, for figures alone: of what Kafka does not tell in time nothing is told, and nothing raised.

        Asked of the group's member, not of an administrator's client: when the coordinator moves,
        librdkafka 2.15 turns to the asking client's own group (`rd_kafka_handle_OffsetFetch_err_action`
        in rdkafka_request.c), which an administrator's has not, and the process ends.
        """
        with suppress(KafkaException):
            asked = [self._at(partition) for partition in partitions if partition in self.next]
            found = self._member.kafka.committed(asked, timeout=_ADVICE_S) if asked else []
            before = {at.partition: max(at.offset, _number(at.metadata)) for at in found if at.offset >= 0}
            self._read_before.update(before)
            return before
        return {}

    def unplace(self) -> None:
        """Pause everything: what was read ahead is void, the table says where to go on."""
        self._pause(self.next)
        self.unplaced |= set(self.next)
        self._forget(self.next)

    def hold(self, timeout_s: float) -> None:
        """Pause, keeping the places, and poll only to stay in the group; to be called again until `go_on`.

        Should a record slip through, it is dropped: `go_on` seeks to what was last handed out.
        """
        self._pause(self.next)
        message = self._member.kafka.poll(timeout_s)
        if message is not None and (error := message.error()) is not None:
            self._on_error(message.partition(), error)

    def go_on(self) -> None:
        """Seek every placed partition to its next offset and resume it."""
        self._unsought.update(self.next)
        self._seek_unsought()

    def commit(self, next_offsets: Mapping[int, int]) -> None:
        """Tell Kafka how far we are, by partition: advisory, for lag tools, so nobody waits for it."""
        ours = self.assigned
        offsets = [self._reached(p, offset) for p, offset in next_offsets.items() if p in ours]
        if not offsets:
            return
        try:
            self._member.kafka.commit(offsets=offsets, asynchronous=True)
        except KafkaException as error:
            log.info("advisory_commit_failed", problem=error.args[0].name())

    def close(self, timeout_s: float) -> None:
        """Leave the group, waiting so long at most; nothing else may be called while this runs."""
        self._member.close(timeout_s)

    def _begin_anew(self) -> None:
        lost = self.assigned
        self._drop(lost)
        self._after_loss(lost)
        self._member.begin_anew()

    def _as_next(self, message: Message) -> Record | None:
        """The record with its place if it is the next of its partition; None if it is void."""
        partition, offset, error = message.partition(), message.offset(), message.error()
        if error is not None:
            self._on_error(partition, error)
        if error is not None or partition is None or offset is None:
            return None
        expected = self.next.get(partition)
        if expected is None or offset < expected:
            return None  # from before a pause, a seek or a revocation
        if offset > expected and self._doubted.get(partition) != offset:
            self._doubt(partition, offset)
            return None
        self.next[partition] = offset + 1
        return partition, expected, offset, message

    def _doubt(self, partition: int, offset: int) -> None:
        """Look again before a hole is believed: it may be a fetch that a seek has overtaken."""
        if partition not in self._unsought:
            log.info("hole_in_log_doubted", partition=partition, expected=self.next[partition], found=offset)
            self._doubted[partition] = offset
            self._unsought[partition] = self.next[partition]

    def _on_error(self, partition: int | None, error: KafkaError) -> None:
        if not is_passing(error):
            raise KafkaException(error)
        log.warning("consumer_error", problem=error.name(), topic=self._topic, partition=partition)
        if error.code() in _REPLACE_ON and partition in self.assigned:
            if partition in self.next:
                self._pause([partition])
                self._forget({partition})
                self.unplaced.add(partition)
                self._after_loss(frozenset({partition}))
            self._ended.add(partition)

    def _seek_unsought(self) -> None:
        resumed = []
        for partition, offset in list(self._unsought.items()):
            try:
                if partition in self._ended:
                    self._member.kafka.incremental_unassign([self._at(partition)])
                    self._member.kafka.incremental_assign([self._at(partition, offset)])
                    self._ended.discard(partition)
                else:
                    self._member.kafka.seek(self._at(partition, offset))
                self._member.kafka.resume([self._at(partition)])
            except KafkaException as error:
                # An assignment takes a moment to become active; the next poll tries again.
                log.debug("seek_postponed", partition=partition, problem=error.args[0].name())
            else:
                del self._unsought[partition]
                resumed.append(partition)
        if self._was_rebalanced:
            self._was_rebalanced, resumed = False, list(self.next)
        if resumed:
            self._wake(resumed)

    def _wake(self, partitions: Sequence[int]) -> None:
        """Ask the partitions' leaders something: librdkafka's thread for a broker sleeps up to a second.

        Resuming does not wake it, so without a request nothing would be fetched until then.
        """
        asked = [self._at(partition, 0) for partition in partitions]
        with suppress(KafkaException):
            self._member.kafka.offsets_for_times(asked, timeout=1.0)

    def _assign(self, kafka: KafkaConsumer, partitions: list[TopicPartition]) -> None:
        numbers = sorted(at.partition for at in partitions)
        self._forget(set(numbers))
        # Any offset that needs no look-up will do: nothing is fetched before the place is known.
        kafka.incremental_assign([self._at(number, 0) for number in numbers])
        self._pause(numbers)
        self._was_rebalanced = True
        self.unplaced |= set(numbers)
        log.info("partitions_assigned", topic=self._topic, partitions=numbers)

    def _revoke(self, kafka: KafkaConsumer, partitions: list[TopicPartition]) -> None:
        numbers = frozenset(at.partition for at in partitions)
        self._before_revoke(numbers)
        self._drop(numbers)
        kafka.incremental_unassign(partitions)
        self._was_rebalanced = True
        log.info("partitions_revoked", topic=self._topic, partitions=sorted(numbers))

    def _lose(self, kafka: KafkaConsumer, partitions: list[TopicPartition]) -> None:
        numbers = frozenset(at.partition for at in partitions)
        self._drop(numbers)
        self._after_loss(numbers)
        kafka.incremental_unassign(partitions)
        log.warning("partitions_lost", topic=self._topic, partitions=sorted(numbers))

    def _drop(self, partitions: Partitions) -> None:
        self._forget(partitions)
        self.unplaced -= partitions

    def _forget(self, partitions: Iterable[int]) -> None:
        for partition in list(partitions):
            for known in (self.next, self._unsought, self._doubted, self._read_before):
                known.pop(partition, None)
            self._ended.discard(partition)

    def _pause(self, partitions: Iterable[int]) -> None:
        try:
            self._member.kafka.pause([self._at(partition) for partition in partitions])
        except KafkaException as error:
            raise KafkaUnavailable(f"can't pause: {error.args[0].name()}") from error

    def _reached(self, partition: int, offset: int) -> TopicPartition:
        end = self._read_before.get(partition, 0)
        return TopicPartition(self._topic, partition, offset, str(end) if end > offset else "")

    def _at(self, partition: int, offset: int = -1001) -> TopicPartition:
        return TopicPartition(self._topic, partition, offset)


def _number(told: str | None) -> int:
    """What another tool has written there is no number."""
    return int(told) if told and told.isascii() and told.isdigit() else 0
