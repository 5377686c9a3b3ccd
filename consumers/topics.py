"""What Kafka holds now: a topic's id, and where the logs of its partitions begin and end."""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final
from uuid import UUID

from confluent_kafka import TopicCollection, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, OffsetSpec  # type: ignore[attr-defined]

from consumers.fates import KafkaUnavailable, kafka_errors

_EARLIEST: Final[OffsetSpec] = OffsetSpec.earliest()  # type: ignore[no-untyped-call]  # no types there
_LATEST: Final[OffsetSpec] = OffsetSpec.latest()  # type: ignore[no-untyped-call]  # likewise

_PROTOCOLS: Final = "group.coordinator.rebalance.protocols"


class Topics:
    """Asks Kafka; safe in any thread.

    A client that got no answer is not asked again: it may know no broker any more, and of an
    administrator's nobody hears that (see `config.brokers.Watch`).

    Every method raises `KafkaUnavailable` where Kafka does not tell in time.

    Args:
        options: librdkafka's settings.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options
        self._admin: AdminClient | None = None

    def id_of(self, topic: str, timeout_s: float) -> UUID:
        """The topic's id; another one than before means that it was recreated."""
        with self._asking() as admin:
            described = admin.describe_topics(TopicCollection([topic]), request_timeout=timeout_s)[topic]
            return as_uuid(described.result(timeout_s).topic_id)

    def firsts(self, topic: str, partitions: Collection[int], timeout_s: float) -> Mapping[int, int]:
        """Each partition's first offset that is still there."""
        return self._offsets(topic, partitions, _EARLIEST, timeout_s)

    def ends(self, topic: str, partitions: Collection[int], timeout_s: float) -> Mapping[int, int]:
        """Each partition's next offset to be given out (the high watermark)."""
        return self._offsets(topic, partitions, _LATEST, timeout_s)

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

    def _offsets(
        self, topic: str, partitions: Collection[int], spec: OffsetSpec, timeout_s: float
    ) -> Mapping[int, int]:
        asked = {TopicPartition(topic, partition): spec for partition in partitions}
        with self._asking() as admin:
            answers = admin.list_offsets(asked, request_timeout=timeout_s)
            return {at.partition: answer.result(timeout_s).offset for at, answer in answers.items()}

    def close(self) -> None:
        """Let the client go: with its threads an interpreter that ends would not be safe from an answer."""
        self._admin = None

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
