"""An event's whole way through the relay: authenticate, normalise, encode, publish.

Only when `accept` returns is every event of the delivery safe: acknowledged by Kafka, or fsynced in the
spool, which goes to Kafka by itself.
"""

import asyncio
from collections.abc import Sequence
from functools import cache
from typing import Final

from prometheus_client import Counter

from config import metrics
from config.clock import Clock
from producers.coding import decoded
from producers.dead_letters import ParkingPlace, dead_letter
from producers.delivery import (
    Context,
    Headers,
    InvalidDelivery,
    NotAcknowledged,
    RateLimited,
    Refusal,
    Unauthenticated,
)
from producers.intake import Intake
from producers.kafka_errors import SHUT_TO_DEAD_LETTERS
from producers.publish import Publishing, Record
from producers.reading import Accepted, Rejected, read_items
from producers.sources.items import listed
from producers.sources.vendor import Item
from producers.verify import authenticate
from schemas.codec import PREFIX, InvalidEvent, encode
from schemas.event import MICROSECONDS, EventType, SessionEvent
from schemas.headers import cloudevents_headers, continue_trace, trace_id_of

_ages: Final = metrics.EVENT_AGE.labels("published")


class Pipeline:
    """Takes deliveries to safety and counts what becomes of them.

    Args:
        publisher: Brings records to safety.
        clock: Says when a delivery came in.
        events_topic: Where events go.
        dead_letters_topic: Where bad items beside good ones go.
        max_body_bytes: Of a body without its content coding.
        parking: Knows whether that topic is there.
        frame: Stands before each event's record.
    """

    def __init__(
        self,
        publisher: Publishing,
        clock: Clock,
        events_topic: str,
        dead_letters_topic: str,
        *,
        max_body_bytes: int,
        parking: ParkingPlace | None = None,
        frame: bytes = PREFIX,
    ) -> None:
        self._publisher, self._clock, self._topic = publisher, clock, events_topic
        self._dead_letters_topic, self._max_body_bytes = dead_letters_topic, max_body_bytes
        self._parking, self._frame = parking, frame

    async def accept(
        self,
        intake: Intake,
        headers: Headers,
        body: bytes,
        token: str | None = None,
        *,
        proven: bool = False,
    ) -> Accepted:
        """Bring one delivery to safety.

        Args:
            intake: The source it came in by.
            headers: As they were sent.
            body: Its very bytes.
            token: What its URL ends with, if the source asks for that.
            proven: It is part of a body that has been authenticated as a whole.

        Returns:
            The ids of its events, the items that were parked, and where all of them are safe.

        Raises:
            Refusal: Why it is not taken; nothing is promised.
        """
        events: Sequence[SessionEvent] = ()
        try:
            if not proven:
                authenticate(intake.proofs, headers, body, token)
                if intake.limit is not None:
                    intake.limit.check()
                body = decoded(body, headers, self._max_body_bytes)
            context = self._context(intake, headers)
            trace = continue_trace(headers.get("traceparent"))
            rejected: Sequence[Rejected] = ()
            if intake.split is None:
                events = intake.normalise(body, context)
                records = [to_record(event, trace, self._topic, self._frame) for event in events]
            else:
                events, rejected, records = self._items(
                    intake, intake.split(body, intake.max_items), context, trace
                )
            whereabouts = await self._publisher.publish(records)
        except Refusal as refusal:
            _count(intake, events, _OUTCOMES.get(type(refusal), "invalid"))
            raise
        if whereabouts == "queued":
            _count(intake, events, "acknowledged")
            self._note_ages(events)
        else:
            _count(intake, events, "spooled")
        if rejected:
            _counter(intake.name, EventType.UNKNOWN, "parked").inc(len(rejected))
        trace_id = trace_id_of(trace) if rejected else ""
        return Accepted([event.event_id for event in events], rejected, whereabouts, trace_id or "")

    async def accept_batch(
        self, intake: Intake, headers: Headers, body: bytes, token: str | None = None
    ) -> list[Accepted | Refusal]:
        """Bring an array of deliveries to safety, proven as a whole, each one on its own from then on.

        Returns:
            What became of each, in the same order.

        Raises:
            Refusal: Why none of it is taken: its proof, its form or its length.
        """
        try:
            authenticate(intake.proofs, headers, body, token)
            if intake.limit is not None:
                intake.limit.check()
            elements = listed(decoded(body, headers, self._max_body_bytes), intake.max_items)
        except Refusal as refusal:
            _count(intake, (), _OUTCOMES.get(type(refusal), "invalid"))
            raise
        ends = await asyncio.gather(
            *(self.accept(intake, headers, element, proven=True) for element in elements),
            return_exceptions=True,  # so that none is left behind when one fails
        )
        results: list[Accepted | Refusal] = []
        for end in ends:
            if not isinstance(end, Accepted | Refusal):
                raise end
            results.append(end)
        return results

    def _context(self, intake: Intake, headers: Headers) -> Context:
        claims: Sequence[str | None] = headers.get_all("x-user-id")
        if not claims and "x-user-id" in headers:
            claims = (None,)  # sent, but not in visible ASCII
        return Context(intake.name, intake.tenant, self._clock.now_us(), intake.keep_raw, claims)

    def _items(
        self, intake: Intake, items: list[Item], context: Context, trace: str
    ) -> tuple[list[SessionEvent], list[Rejected], list[Record]]:
        records: list[Record] = []

        def encode_one(event: SessionEvent) -> None:
            records.append(to_record(event, trace, self._topic, self._frame))

        reading = read_items(items, intake.normalise, intake.redaction, context, encode_one)
        if reading.rejected and self._parking is not None and self._parking.missing:
            raise NotAcknowledged(SHUT_TO_DEAD_LETTERS)  # before any of it is sent, and nobody else waits
        parked = [dead_letter(one, context, trace, self._dead_letters_topic) for one in reading.rejected]
        return reading.events, reading.rejected, records + parked

    def _note_ages(self, events: Sequence[SessionEvent]) -> None:
        now_us = self._clock.now_us()
        for event in events:
            _ages.note((now_us - event.received_at) / MICROSECONDS)


def to_record(event: SessionEvent, traceparent: str, topic: str, frame: bytes = PREFIX) -> Record:
    """Encode an event for Kafka: topic, key, value behind its frame, headers.

    Raises:
        InvalidDelivery: The event breaks a rule of the schema.
    """
    try:
        value = encode(event, frame)
    except InvalidEvent as invalid:
        raise InvalidDelivery(invalid.problems) from None
    return Record(topic, event.user_id.encode(), value, cloudevents_headers(event, traceparent))


_OUTCOMES: Final[dict[type[Refusal], str]] = {
    Unauthenticated: "unauthenticated",
    RateLimited: "limited",
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
