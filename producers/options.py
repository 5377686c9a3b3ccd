"""How the relay's two producers are set up: what they have in common, and where they differ.

The direct one answers senders, so that linger and reports serve the time of an answer; the ordered one
empties the spool, so that nothing may time out by itself.
"""

from collections.abc import Callable
from typing import Any, Final

from confluent_kafka import KafkaError

from config.kafka import LOGGER, client_options
from config.sections import KafkaSettings

MAX_MESSAGE_BYTES: Final = 4 * 1024 * 1024 - 16 * 1024
"""Just below the topic's 4 MiB: a batch has a frame around its records, which counts too.

librdkafka takes no larger record, and batches no more than this, or `batch.size` if that is less, unless a
record is alone. So a batch is never too large for such a topic, and no record is refused for its neighbour.
"""
_SOFT: Final = {  # an operator may know better
    "queue.buffering.max.kbytes": 64 * 1024,
    "reconnect.backoff.max.ms": 1_000,  # a broker that is back is found within about a second
}
_OURS: Final = {
    "acks": "all",
    "enable.idempotence": True,
    "partitioner": "murmur2_random",  # what Java clients use; for both alike, as a key has one partition
    "message.max.bytes": MAX_MESSAGE_BYTES,
}


def direct(
    kafka: KafkaSettings,
    deadline_s: float | None,
    on_error: Callable[[KafkaError], None],
) -> dict[str, Any]:
    """Options of the producer that senders wait for.

    Args:
        kafka: Where, and the operator's own options.
        deadline_s: Seconds for Kafka to acknowledge, librdkafka's own tries included; None: no end.
        on_error: librdkafka's `error_cb`.
    """
    soft = _SOFT | {
        "linger.ms": 1,  # 1.6 times the rate of the default 5; 0 batches nothing and is slower
        "statistics.interval.ms": 1_000,
    }
    ours = _OURS | {
        "delivery.timeout.ms": 0 if deadline_s is None else max(2, int(deadline_s * 1_000)),  # 0: no end
        "error_cb": on_error,
        "logger": LOGGER,
    }
    return soft | client_options(kafka, **ours)


def ordered(kafka: KafkaSettings) -> dict[str, Any]:
    """Options of the producer that empties the spool."""
    soft = _SOFT | {
        "topic.metadata.propagation.max.ms": 5_000,  # a new topic's name is known everywhere long before
    }
    ours = _OURS | {
        "delivery.timeout.ms": 0,  # no end: a record that timed out alone would be overtaken
        "delivery.report.only.error": True,  # a call for each success would cost as much as sending it
        "logger": LOGGER,
    }
    return soft | client_options(kafka, **ours)
