"""What librdkafka says of itself while Kafka is away: the same few errors, many times a second."""

from typing import Final

import structlog
from confluent_kafka import KafkaError

from config.clock import Clock

log = structlog.get_logger()

_SILENT_S: Final = 60.0


class ClientErrors:
    """Tells each kind of error once a minute; called by librdkafka when it is polled.

    Args:
        clock: For the minute.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._told_s: dict[str, float] = {}

    def __call__(self, error: KafkaError) -> None:
        """Hear of one; librdkafka mends by itself what can be mended."""
        name, now_s = error.name(), self._clock.monotonic_s()
        if now_s - self._told_s.get(name, -_SILENT_S) >= _SILENT_S:
            self._told_s[name] = now_s
            log.warning("kafka_client_error", problem=name)
