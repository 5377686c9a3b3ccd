"""What Kafka holds of a topic now: its id, and where each partition's log begins and ends."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final
from uuid import UUID

from confluent_kafka import KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from config.errors import SettingsError
from config.kafka import client_options
from config.kafka_options import SILENT
from config.sections import KafkaSettings
from consumers.fates import kafka_errors
from consumers.topics import as_uuid

TIMEOUT_S: Final = 10.0
NO_END: Final = 2**63 - 1
"""Behind every offset."""
Span = tuple[int, int, int]
"""A partition, its first offset, and the one behind its last."""


@dataclass(frozen=True, kw_only=True)
class Held:
    """A topic's log; partitions are numbered from 0."""

    topic: str
    topic_id: UUID
    first: Mapping[int, int]
    """First offset by partition: where retention has got to."""
    end: Mapping[int, int]
    """Next offset to be given out, by partition."""
    kept: Mapping[int, int] = field(default_factory=dict)
    """By partition, how far an archive goes in whose place this stands; empty without one."""
    alive: bool = True
    """Whether there is a topic behind the archive's end, which sinks go on with."""
    spans: Sequence[Span] = ()
    """What can be read where that is not all from `first` on: an archive may end before the log begins."""

    def covered(self) -> Sequence[Span]:
        """What can be read, and what will be."""
        return self.spans or [(number, first, NO_END) for number, first in self.first.items()]

    def lost(self, number: int, begin: int, behind: int) -> int | None:
        """The first of these offsets of a partition that can't be read; None if all can."""
        for partition, first, end in sorted(self.covered()):
            if partition == number and first <= begin < end:
                begin = end
        return begin if begin < behind else None

    @property
    def whole(self) -> bool:
        """Whether it has every record that there ever was, up to its end."""
        at = dict.fromkeys(self.first, 0)
        for number, first, behind in sorted(self.covered()):
            if first != at[number]:
                return False
            at[number] = behind
        return True


def part_of(held: Held, partitions: Collection[int]) -> Held:
    """The same log, but only these partitions of it."""
    first = {number: held.first[number] for number in partitions}
    return replace(held, first=first, end={number: held.end[number] for number in partitions})


class Logs:
    """Asks Kafka about topics; writes nothing."""

    def __init__(self, kafka: KafkaSettings) -> None:
        self._admin = AdminClient(client_options(kafka, logger=SILENT))

    def held(self, topic: str) -> Held:
        """The log as it is now.

        Raises:
            SettingsError: There is no such topic.
            KafkaUnavailable: Kafka did not tell in time.
        """
        topic_id, count = self.identity(topic)
        numbers = range(count)
        earliest, latest = OffsetSpec.earliest(), OffsetSpec.latest()  # type: ignore[no-untyped-call]
        # the end first: what retention takes in between makes a begin too late, never an end too early
        end = self._offsets(topic, dict.fromkeys(numbers, latest))
        first = self._offsets(topic, dict.fromkeys(numbers, earliest))
        return Held(topic=topic, topic_id=topic_id, first=first, end=end)

    def identity(self, topic: str) -> tuple[UUID, int]:
        """The topic's id and its count of partitions.

        Raises:
            SettingsError: There is no such topic.
            KafkaUnavailable: Kafka did not tell in time.
        """
        try:
            with kafka_errors():
                asked = self._admin.describe_topics(TopicCollection([topic]), request_timeout=TIMEOUT_S)
                try:
                    described = asked[topic].result(TIMEOUT_S)
                except KafkaException as error:
                    unknown = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError.TOPIC_EXCEPTION)
                    if error.args[0].code() in unknown:
                        raise SettingsError(f"there is no topic {topic}") from None
                    raise
        except ValueError:  # the client library refuses an empty name
            raise SettingsError(f"there is no topic {topic!r}") from None
        return as_uuid(described.topic_id), len(described.partitions)

    def at_time(self, held: Held, time_ms: int) -> Mapping[int, int]:
        """By partition, the first offset of that time or a later one; the log's end where there is none."""
        spec = OffsetSpec.for_timestamp(time_ms)
        found = self._offsets(held.topic, dict.fromkeys(held.end, spec))
        return {number: held.end[number] if at < 0 else at for number, at in found.items()}

    def _offsets(self, topic: str, specs: Mapping[int, OffsetSpec]) -> Mapping[int, int]:
        asked = {TopicPartition(topic, number): spec for number, spec in specs.items()}
        with kafka_errors():
            answers = self._admin.list_offsets(asked, request_timeout=TIMEOUT_S)
            return {at.partition: answer.result(TIMEOUT_S).offset for at, answer in answers.items()}
