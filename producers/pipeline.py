"""An event's whole way through the relay: authenticate, normalise, encode, publish.

Only when `accept` returns has Kafka acknowledged every event of the delivery.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final

from prometheus_client import Counter

from config import metrics
from config.clock import Clock
from config.webhook_sources import Source
from producers.delivery import (
    Context,
    Headers,
    InvalidDelivery,
    Normalise,
    NotAcknowledged,
    Refusal,
    Unauthenticated,
)
from producers.publish import Publisher, Record
from producers.schemes.proof import Proof
from producers.sources import NORMALISERS
from producers.verify import authenticate, proof
from schemas.codec import InvalidEvent, encode
from schemas.event import MICROSECONDS, EventType, SessionEvent
from schemas.headers import cloudevents_headers, continue_trace

_AGES_AT_ONCE: Final = 256


@dataclass(frozen=True, kw_only=True)
class Intake:
    """One configured source, ready to work."""

    name: str
    tenant: str
    proofs: Sequence[Proof]
    normalise: Normalise
    keep_raw: bool
    takes_token: bool
    """Whether its URL ends with a token."""

    @classmethod
    def of(cls, name: str, source: Source, *, keep_raw: bool, clock: Clock) -> "Intake":
        """The intake that the settings ask for."""
        return cls(
            name=name,
            tenant=source.tenant,
            proofs=[proof(scheme, clock) for scheme in source.schemes],
            normalise=NORMALISERS[source.vendor],
            keep_raw=keep_raw,
            takes_token=any(scheme.scheme == "url_token" for scheme in source.schemes),
        )


class Pipeline:
    """Takes deliveries to Kafka and counts what becomes of them."""

    def __init__(self, publisher: Publisher, clock: Clock, events_topic: str) -> None:
        self._publisher, self._clock, self._topic = publisher, clock, events_topic
        self._ages_s: list[float] = []

    async def accept(
        self, intake: Intake, headers: Headers, body: bytes, token: str | None = None
    ) -> list[str]:
        """Bring one delivery to Kafka.

        Args:
            intake: The source it came in by.
            headers: As they were sent.
            body: Its very bytes.
            token: What its URL ends with, if the source asks for that.

        Returns:
            The event ids, all of them acknowledged.

        Raises:
            Refusal: Why it is not taken; nothing was acknowledged.
        """
        events: Sequence[SessionEvent] = ()
        try:
            authenticate(intake.proofs, headers, body, token)
            events = intake.normalise(body, self._context(intake, headers))
            trace = continue_trace(headers.get("traceparent"))
            await self._publisher.publish([to_record(event, trace, self._topic) for event in events])
        except Refusal as refusal:
            _count(intake, events, _OUTCOMES.get(type(refusal), "invalid"))
            raise
        _count(intake, events, "acknowledged")
        self._note_ages(events)
        return [event.event_id for event in events]

    def flush_ages(self) -> None:
        """Count the ages noted since the last time; called now and then, and at the end."""
        ages, self._ages_s = self._ages_s, []
        metrics.EVENT_AGE.observe("published", ages)

    def _context(self, intake: Intake, headers: Headers) -> Context:
        claims: Sequence[str | None] = headers.get_all("x-user-id")
        if not claims and "x-user-id" in headers:
            claims = (None,)  # sent, but not in visible ASCII
        return Context(intake.name, intake.tenant, self._clock.now_us(), intake.keep_raw, claims)

    def _note_ages(self, events: Sequence[SessionEvent]) -> None:
        now_us = self._clock.now_us()
        self._ages_s += [(now_us - event.received_at) / MICROSECONDS for event in events]
        if len(self._ages_s) >= _AGES_AT_ONCE:  # a batch costs a tenth of one at a time
            self.flush_ages()


def to_record(event: SessionEvent, traceparent: str, topic: str) -> Record:
    """Encode an event for Kafka: topic, key, value, headers.

    Raises:
        InvalidDelivery: The event breaks a rule of the schema.
    """
    try:
        value = encode(event)
    except InvalidEvent as invalid:
        raise InvalidDelivery(invalid.problems) from None
    return Record(topic, event.user_id.encode(), value, cloudevents_headers(event, traceparent))


_OUTCOMES: Final[dict[type[Refusal], str]] = {
    Unauthenticated: "unauthenticated",
    NotAcknowledged: "unavailable",
}
"""The `outcome` of a refused delivery in `relay_events_total`; `invalid` for any other."""


def _count(intake: Intake, events: Sequence[SessionEvent], outcome: str) -> None:
    if not events:  # refused before it could be read
        _counter(intake.name, EventType.UNKNOWN, outcome).inc()
    for event in events:
        _counter(intake.name, event.type, outcome).inc()


@cache  # labels cost more than the count; sources and types are closed sets
def _counter(source: str, kind: EventType, outcome: str) -> Counter:
    return metrics.RELAY_EVENTS.labels(source=source, type=kind.value, outcome=outcome)
