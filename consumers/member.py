"""A member of a consumer group: librdkafka's client, and another in its place once it is stranded."""

from collections.abc import Callable, Mapping
from threading import Thread
from time import monotonic
from typing import Any, Final

import structlog
from confluent_kafka import Consumer as KafkaConsumer
from confluent_kafka import KafkaException, TopicPartition

from config.brokers import Watch
from consumers.fates import KafkaUnavailable

log = structlog.get_logger()

Rebalanced = Callable[[KafkaConsumer, list[TopicPartition]], None]
"""Called from `poll` with the partitions that come or go; it assigns or unassigns them."""
_STATISTICS_MS: Final = 1_000
_QUIET_S: Final = 0.01
"""Callbacks that wait are all served by one poll, before it waits for more."""
_GIVE_BACK_S: Final = 1.0


class Member:
    """Joins when it is made. Used by one thread, as what it calls is called from `poll`.

    At the end it is called in a thread of its own, while that one waits for it.

    Args:
        options: librdkafka's settings.
        topic: The one topic that is read.
        on_assign: Told of partitions that come.
        on_revoke: Told of partitions that are about to go.
        on_lost: Told of partitions that are gone.
        on_statistics: Told every second what librdkafka tells of itself.
    """

    def __init__(
        self,
        options: Mapping[str, Any],
        topic: str,
        *,
        on_assign: Rebalanced,
        on_revoke: Rebalanced,
        on_lost: Rebalanced,
        on_statistics: Callable[[Mapping[str, Any]], None],
    ) -> None:
        self._options, self._topic = options, topic
        self._on_assign, self._on_revoke, self._on_lost = on_assign, on_revoke, on_lost
        self._on_statistics = on_statistics
        self._watch = Watch(on_statistics)
        self.kafka = self._joining()

    @property
    def is_stranded(self) -> bool:
        """Whether its client knows nobody any more whom it could ask for its partitions."""
        return self._watch.is_stranded

    def begin_anew(self) -> None:
        """Join as another member, with the brokers of the settings; what was assigned is gone."""
        log.warning("kafka_brokers_forgotten", topic=self._topic)
        former = self.kafka
        self._watch.end()
        self._watch = Watch(self._on_statistics)
        self.kafka = self._joining()
        _closing(former)

    def close(self, timeout_s: float) -> None:
        """Leave the group, or give up: a Kafka that does not answer would hold `close` for 45 s.

        Nothing else may be called while this runs; what is not said to Kafka in time, the session
        time-out says.
        """
        closing = _closing(self.kafka)
        closing.join(timeout_s)
        if closing.is_alive():
            log.warning("group_left_in_silence", because="Kafka did not answer in time")

    def _joining(self) -> KafkaConsumer:
        def ours(told: Rebalanced, else_do: Rebalanced) -> Rebalanced:
            return lambda by, these: told(by, these) if by is self.kafka else else_do(by, these)

        assign, unassign = KafkaConsumer.incremental_assign, KafkaConsumer.incremental_unassign
        own = {"statistics.interval.ms": _STATISTICS_MS, "stats_cb": self._watch}
        kafka = KafkaConsumer({**self._options, **own})
        kafka.subscribe(
            [self._topic],
            on_assign=ours(self._on_assign, assign),
            on_revoke=ours(self._on_revoke, unassign),
            on_lost=ours(self._on_lost, unassign),
        )
        return kafka


def _closing(kafka: KafkaConsumer) -> Thread:
    thread = Thread(target=_leave, args=(kafka,), name="leaving", daemon=True)
    thread.start()
    return thread


def _leave(kafka: KafkaConsumer) -> None:
    """Give back what is assigned, then close.

    `close` alone does both at once, and what is called in its rebalance callbacks may find a group that is
    gone already: it then waits for ever, with Python's lock, or ends the process (librdkafka's issues 4884
    and 4041; once in a thousand ends under load with 2.15.1).
    """
    try:
        kafka.pause(kafka.assignment())  # or what was fetched ahead would come first
        kafka.unsubscribe()
        until_s = monotonic() + _GIVE_BACK_S
        while (kafka.poll(_QUIET_S) is not None or kafka.assignment()) and monotonic() < until_s:
            pass
        kafka.unsubscribe()  # of who was not in the group yet, by KIP-848, and is now
    except (KafkaException, KafkaUnavailable) as error:
        log.warning("group_left_in_silence", because=f"partitions can't be given back: {error}")
    finally:
        kafka.close()
