"""What every Kafka client is told alike."""

from logging import getLogger
from typing import Any, Final

import structlog
from confluent_kafka import KafkaError

from config.repeats import LIBRDKAFKA
from config.sections import KafkaSettings

log = structlog.get_logger()

_CONSUMERS_ONLY: Final = frozenset(
    {
        "auto.commit.interval.ms",
        "consume.callback.max.messages",
        "coordinator.query.interval.ms",
        "fetch.error.backoff.ms",
        "fetch.max.bytes",
        "fetch.message.max.bytes",
        "fetch.min.bytes",
        "fetch.queue.backoff.ms",
        "fetch.wait.max.ms",
        "group.protocol.type",
        "group.remote.assignor",
        "heartbeat.interval.ms",
        "max.partition.fetch.bytes",
        "max.poll.interval.ms",
        "max.poll.records",
        "offset.store.method",
        "offset.store.path",
        "offset.store.sync.interval.ms",
        "partition.assignment.strategy",
        "queued.max.messages.kbytes",
        "queued.min.messages",
        "session.timeout.ms",
        "share.acknowledgement.mode",
    }
)
"""Marked C in librdkafka's CONFIGURATION.md; those that a user may not set are not listed."""
_PRODUCERS_ONLY: Final = frozenset(
    {
        "batch.num.messages",
        "batch.size",
        "compression.codec",
        "compression.level",
        "compression.type",
        "delivery.report.only.error",
        "linger.ms",
        "message.send.max.retries",
        "produce.offset.report",
        "queue.buffering.backpressure.threshold",
        "queue.buffering.max.kbytes",
        "queue.buffering.max.messages",
        "queue.buffering.max.ms",
        "queuing.strategy",
        "request.timeout.ms",
        "retries",
        "sticky.partitioning.linger.ms",
        "transaction.timeout.ms",
    }
)
"""Marked P there, likewise."""

LEFT_TO_THE_BROKER: Final = frozenset(
    {"group.protocol.type", "heartbeat.interval.ms", "partition.assignment.strategy", "session.timeout.ms"}
)
"""What a member of a group of KIP-848 must not say: the group's own settings on the broker decide."""


LOGGER: Final = getLogger(LIBRDKAFKA)
"""For clients that are polled all the time; without it librdkafka writes lines to standard error itself."""
MUTE: Final[dict[str, Any]] = {"log_level": 0}
"""For clients whose exceptions tell all, and that nobody polls: a logger's lines would pile up in them."""


def tell_error(error: KafkaError) -> None:
    """Log what librdkafka says to its `error_cb`; it mends by itself what can be mended."""
    log.warning("kafka_error", problem=error.name(), fatal=error.fatal())


def client_options(kafka: KafkaSettings, **overrides: Any) -> dict[str, Any]:
    """Options for one librdkafka client.

    The user's `KAFKA__OPTIONS` go over librdkafka's defaults, and what our promises rest on goes over
    both. Options for the other kind of client are left out, as librdkafka warns of each of them. A
    client with a `group.id` is a consumer; to librdkafka an administrator is a producer. With
    `KAFKA__GROUP_PROTOCOL=consumer` what is left to the broker is left out too.

    Args:
        kafka: Where the cluster is, and the user's options.
        overrides: The client's own options, such as `**{"acks": "all"}`; they win.
    """
    others = _PRODUCERS_ONLY if "group.id" in overrides else _CONSUMERS_ONLY
    if kafka.group_protocol == "consumer":
        others |= LEFT_TO_THE_BROKER
    own = {name: value for name, value in kafka.options.items() if name not in others}
    return {**own, **overrides, "bootstrap.servers": kafka.bootstrap_servers}
