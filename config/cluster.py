"""A Kafka cluster, asked and changed within a bounded time, with its errors named by their fate."""

import time
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # it imports these without naming them
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    ResourceType,
)
from confluent_kafka.cimpl import NewPartitions, NewTopic

from config.errors import RelayError, Unavailable
from config.kafka import client_options
from config.kafka_options import SILENT
from config.sections import KafkaSettings

TIMEOUT_S: Final = 10.0
"""How long one question may take before the cluster counts as away."""
POLL_S: Final = 0.1
_AWAY: Final = frozenset(
    {
        KafkaError._ALL_BROKERS_DOWN,  # noqa: SLF001 - librdkafka's own errors are spelled so
        KafkaError._RESOLVE,  # noqa: SLF001 - likewise
        KafkaError._TIMED_OUT,  # noqa: SLF001 - likewise
        KafkaError._TRANSPORT,  # noqa: SLF001 - likewise
    }
)


@dataclass(frozen=True, kw_only=True)
class Found:
    """A topic as the cluster has it; `copies` is the least of its partitions' replicas."""

    partitions: int
    copies: int
    config: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """What was found: the count of brokers, and the topics asked for that exist."""

    brokers: int
    topics: Mapping[str, Found]


class Cluster:
    """An administrator's client.

    Every method raises `Unavailable` where the cluster is away or not ready, and `RelayError` where it
    refuses.

    Args:
        kafka: Where it is, and how it is spoken to.
        timeout_s: How long one question may take.
    """

    def __init__(self, kafka: KafkaSettings, timeout_s: float = TIMEOUT_S) -> None:
        self._servers = kafka.bootstrap_servers
        self._timeout_s = timeout_s
        self._reasons: list[str] = []
        # the silent logger: what is wrong is told once, by the exception
        self._admin = AdminClient(client_options(kafka, error_cb=self._note, logger=SILENT))

    def snapshot(self, names: Collection[str]) -> Snapshot:
        """Ask for the brokers, and for these topics with the settings that are in force."""
        metadata = self._metadata()
        existing = {name: metadata.topics[name] for name in names if name in metadata.topics}
        resources = [ConfigResource(ResourceType.TOPIC, name) for name in existing]
        with self._errors():
            asked = (
                self._admin.describe_configs(resources, request_timeout=self._timeout_s) if resources else {}
            )
            configs = {resource.name: future.result(self._timeout_s) for resource, future in asked.items()}
        found = {
            name: Found(
                partitions=len(topic.partitions),
                copies=min((len(partition.replicas) for partition in topic.partitions.values()), default=0),
                config={key: entry.value or "" for key, entry in configs[name].items()},
            )
            for name, topic in existing.items()
        }
        return Snapshot(brokers=len(metadata.brokers), topics=found)

    def create(self, name: str, partitions: int, copies: int, config: Mapping[str, str]) -> None:
        """Create a topic; one that somebody else has just created is fine."""
        new = NewTopic(name, partitions, copies, config=dict(config))
        self._wait(self._admin.create_topics([new], operation_timeout=self._timeout_s)[name], made_twice=True)

    def configure(self, name: str, config: Mapping[str, str]) -> None:
        """Set these of a topic's settings, and leave its others alone."""
        entries = [
            ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
            for key, value in config.items()
        ]
        resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries)
        self._wait(self._admin.incremental_alter_configs([resource])[resource])

    def repartition(self, name: str, partitions: int) -> None:
        """Raise a topic's count of partitions; users' keys move to others."""
        self._wait(self._admin.create_partitions([NewPartitions(name, partitions)])[name])

    def wait_usable(self, partitions: Mapping[str, int], within_s: float) -> None:
        """Wait until every partition of these topics has a leader.

        Args:
            partitions: The count of partitions of each topic.
            within_s: After so many seconds the cluster counts as unavailable.
        """
        deadline_s = time.monotonic() + within_s
        while missing := self._leaderless(partitions):
            if time.monotonic() > deadline_s:
                raise Unavailable(f"Kafka has no leader for {', '.join(missing)} after {within_s:g} s")
            time.sleep(POLL_S)

    def _note(self, error: KafkaError) -> None:
        if error.code() != KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - as above; it gives no reason
            self._reasons.append(error.str())

    def _leaderless(self, partitions: Mapping[str, int]) -> list[str]:
        topics = self._metadata().topics
        return [
            name
            for name, count in partitions.items()
            if name not in topics
            or len(topics[name].partitions) < count
            or any(partition.leader < 0 for partition in topics[name].partitions.values())
        ]

    def _metadata(self) -> Any:
        with self._errors():
            return self._admin.list_topics(timeout=self._timeout_s)

    def _wait(self, future: Future[Any], *, made_twice: bool = False) -> None:
        with self._errors():
            try:
                future.result(self._timeout_s)
            except KafkaException as error:
                if not (made_twice and error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS):
                    raise

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (KafkaException, TimeoutError) as error:
            kafka_error = error.args[0] if isinstance(error, KafkaException) else None
            if kafka_error is None or kafka_error.code() in _AWAY or kafka_error.retriable():
                self._admin.poll(0)  # brings the reasons that the connections gave
                reason = self._reasons[-1] if self._reasons else f"no answer within {self._timeout_s:g} s"
                raise Unavailable(f"Kafka at {self._servers} can't be reached: {reason}") from error
            raise RelayError(f"Kafka refuses: {kafka_error.str()}") from error
