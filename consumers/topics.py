"""What Kafka holds now: a topic's id, and where the logs of its partitions begin and end."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from time import monotonic
from typing import Any, Final, NamedTuple
from uuid import UUID

from confluent_kafka import Consumer, TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource  # type: ignore[attr-defined]

from consumers.fates import KafkaUnavailable, kafka_errors

_PROTOCOLS: Final = "group.coordinator.rebalance.protocols"


class Watermarks(NamedTuple):
    """Where a partition's log begins and ends."""

    first: int
    """The first offset that is still there."""
    end: int
    """The next offset to be given out (the high watermark)."""


class Topics:
    """Asks Kafka; safe in any thread.

    A client that got no answer is not asked again: it may know no broker any more, and of one that is not
    polled nobody hears that (see `config.brokers.Watch`).

    Every method raises `KafkaUnavailable` where Kafka does not tell in time.

    Args:
        options: librdkafka's settings.
        group: Whose name a client has to bear that asks for offsets; it never joins.
    """

    def __init__(self, options: Mapping[str, Any], group: str = "session-relay") -> None:
        self._options = options
        self._reader_options = {**options, "group.id": group, "isolation.level": "read_uncommitted"}
        self._admin: AdminClient | None = None
        self._reader: Consumer | None = None

    def id_of(self, topic: str, timeout_s: float) -> UUID:
        """The topic's id; another one than before means that it was recreated."""
        with self._asking() as admin:
            described = admin.describe_topics(TopicCollection([topic]), request_timeout=timeout_s)[topic]
            return as_uuid(described.result(timeout_s).topic_id)

    def watermarks(
        self, topic: str, partitions: Collection[int], timeout_s: float
    ) -> Mapping[int, Watermarks]:
        """Where each partition's log begins and ends.

        Asked of a consumer: an administrator's client now and then waits 3 s before it asks at all, more
        often the busier the machine is, and a partition that changes hands would wait with it (librdkafka
        2.15: `rd_kafka_topic_partition_list_query_leaders_async` looks for leaders again only then).
        """
        deadline_s = monotonic() + timeout_s
        found: dict[int, Watermarks] = {}
        reader = self._reader = self._reader or Consumer(self._reader_options)
        try:
            with kafka_errors():
                for partition in partitions:
                    left_s = max(0.001, deadline_s - monotonic())
                    asked = TopicPartition(topic, partition)
                    found[partition] = Watermarks(*reader.get_watermark_offsets(asked, timeout=left_s))
        except KafkaUnavailable:
            if self._reader is reader:
                self._reader = None
            raise
        return found

    def group_protocols(self, timeout_s: float) -> frozenset[str]:
        """The protocols of consumer groups that the brokers serve; none where they do not say which.

        Source: KIP-848; from Kafka 3.7 on a broker's setting tells. Brokers that lack one are asked for it
        again and again by librdkafka (2.15.1), without a word.
        """
        with self._asking() as admin:
            broker = ConfigResource(
                ConfigResource.Type.BROKER, str(min(admin.list_topics(timeout=timeout_s).brokers))
            )
            told = admin.describe_configs([broker], request_timeout=timeout_s)[broker].result(timeout_s)
        setting = told.get(_PROTOCOLS)
        return frozenset(setting.value.split(",")) if setting and setting.value else frozenset()

    def close(self) -> None:
        """Let the clients go: with their threads an interpreter that ends is not safe from an answer."""
        self._admin = self._reader = None

    @contextmanager
    def _asking(self) -> Iterator[AdminClient]:
        admin = self._admin = self._admin or AdminClient(dict(self._options))
        try:
            with kafka_errors():
                yield admin
        except KafkaUnavailable:
            if self._admin is admin:
                self._admin = None
            raise


def as_uuid(told: Any) -> UUID:
    """A topic's id as the client library hands it out, in two signed halves."""
    high, low = told.get_most_significant_bits(), told.get_least_significant_bits()
    return UUID(int=((high & (2**64 - 1)) << 64) | (low & (2**64 - 1)))
