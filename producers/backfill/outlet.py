"""Where events go: to Kafka as the relay's do, or nowhere in a dry run."""

from typing import Final, Protocol

import stamina

from config.health import Dependency
from producers.backfill.errors import KafkaAway
from producers.delivery import NotAcknowledged
from producers.pipeline import to_record
from producers.publish import Publisher
from schemas.codec import PREFIX
from schemas.event import SessionEvent
from schemas.headers import continue_trace

_WAIT_S: Final = 5.0


class Outlet(Protocol):
    """Takes events, one after the other for each user."""

    async def publish(self, event: SessionEvent) -> None:
        """Return when the event is safe.

        Raises:
            InvalidDelivery: It breaks a rule of the schema.
            TooLarge: Kafka takes no record of this size.
            KafkaAway: Kafka takes nothing for too long.
        """
        ...


class KafkaOutlet:
    """Publishes with the relay's own publisher, and is patient where the relay would answer 503.

    Args:
        publisher: The way to Kafka.
        topic: Where events go.
        patience_s: Seconds for which one event is tried.
        frame: Stands before each record.
    """

    def __init__(self, publisher: Publisher, topic: str, patience_s: float, frame: bytes = PREFIX) -> None:
        self._publisher, self._topic, self._patience_s = publisher, topic, patience_s
        self._frame = frame

    async def publish(self, event: SessionEvent) -> None:
        """Return when Kafka has acknowledged it; a repeat has the same id, so it has no second effect."""
        record = to_record(event, continue_trace(None), self._topic, self._frame)
        tries = stamina.retry_context(
            on=NotAcknowledged, attempts=None, timeout=self._patience_s, wait_max=_WAIT_S
        )
        try:
            async for attempt in tries:
                with attempt:
                    await self._publisher.publish([record])
        except NotAcknowledged:
            raise KafkaAway(
                f"Kafka acknowledged nothing for {self._patience_s:g} s; the same command goes on where "
                "this one ends (see KAFKA__BOOTSTRAP_SERVERS, BACKFILL__PATIENCE_S)"
            ) from None


class DryOutlet:
    """Encodes and publishes nothing: what it takes, Kafka would be sent."""

    def __init__(self, topic: str, kafka: Dependency) -> None:
        self._topic = topic
        kafka.succeeded()  # nobody needs it

    async def publish(self, event: SessionEvent) -> None:
        """Check that it could be published."""
        to_record(event, continue_trace(None), self._topic)
