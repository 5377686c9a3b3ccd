"""Publishing: an answer only after Kafka's delivery report, or at the deadline.

librdkafka reports on its own threads' behalf when it is polled. The event loop polls it: every
millisecond while something is under way, four times a second otherwise. No thread of ours, no lock.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

from confluent_kafka import KafkaError, KafkaException, Message

from config import brokers, metrics
from config.clock import Clock
from config.health import Dependency
from config.kafka import tell_error
from config.sections import KafkaSettings
from producers import kafka_errors, options
from producers.delivery import NotAcknowledged, Refusal, TooLarge, Whereabouts
from producers.succession import Succession

_POLL_S: Final = 0.001
_IDLE_POLL_S: Final = 0.25
SILENT_DEADLINES: Final = 4
"""Deadlines after which a producer that still does not bring its records over is replaced.

40 s by default, when librdkafka itself has given a request up (30 s). One that heard of a partition without a
leader may never send to it again, whatever Kafka says later (librdkafka's issue 5430).
"""


class Publishing(Protocol):
    """Brings records to safety."""

    async def publish(self, records: "Sequence[Record]") -> Whereabouts:
        """Return where all records are safe.

        Raises:
            NotAcknowledged: They are not.
            TooLarge: Kafka takes no record of this size.
        """
        ...


class Record(NamedTuple):
    """What Kafka gets: all of it bytes already."""

    topic: str
    key: bytes | None
    """None for a dead letter: it has no place in any order, so that it need never hold up an event."""
    value: bytes
    headers: list[tuple[str, bytes]]


class Pending:
    """One delivery under way: done at its last report, its first error, or its deadline."""

    __slots__ = ("_left", "deadline_s", "future", "on_trouble", "records")

    def __init__(
        self, future: "asyncio.Future[Whereabouts | Refusal]", records: Sequence[Record], deadline_s: float
    ) -> None:
        self.future, self.records, self.deadline_s = future, records, deadline_s
        self._left = len(records)
        self.on_trouble: Callable[[str], None] | None = None
        """Told of an error that is not the records' own fault, instead of the sender."""

    def report(self, error: KafkaError | None, message: Message) -> None:
        """Hear what became of one record."""
        if error is None:
            self._left -= 1  # of those acknowledged only: one that was withdrawn is never made up for
            if not self._left:
                self.end("queued")
        elif error.code() in kafka_errors.TOO_LARGE:
            self.end(TooLarge())
        elif error.code() in kafka_errors.TOPIC_SHUT and message.key() is None:
            self.end(NotAcknowledged(kafka_errors.SHUT_TO_DEAD_LETTERS))
        elif self.on_trouble is None or error.code() in kafka_errors.REFUSED_FOR_GOOD:
            self.end(NotAcknowledged("refused"))
        elif error.code() not in kafka_errors.WITHDRAWN:
            self.on_trouble(error.name())

    def end(self, outcome: Whereabouts | Refusal) -> None:
        """Tell the sender; what comes later is too late."""
        if not self.future.done():  # else its deadline was before, or its client is gone
            self.future.set_result(outcome)


class Publisher:
    """An idempotent producer, for one event loop; another takes its place after trouble.

    Args:
        kafka: Where, and with which options.
        deadline_s: Seconds for Kafka to acknowledge, librdkafka's own tries included.
        dependency: Told how Kafka does.
        clock: For how long ago Kafka last failed.
        on_fatal: Called when the producer can never work again.
        patient: Whether librdkafka tries without end; then somebody takes what is late with `withdraw`.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        *,
        deadline_s: float,
        dependency: Dependency,
        clock: Clock,
        on_fatal: Callable[[str], None],
        patient: bool = False,
    ) -> None:
        self.on_trouble: Callable[[str], None] | None = None
        """Told when deliveries are late or fail, which then are not answered here."""
        self._deadline_s, self._dependency = deadline_s, dependency
        self._clock, self._on_fatal = clock, on_fatal
        self._failed_s = float("-inf")
        self._pending: deque[Pending] = deque()
        self._loop = asyncio.get_running_loop()
        own = options.direct(kafka, None if patient else deadline_s, self._on_error)
        self._producers = Succession(own, self._on_statistics)
        self._renew_s = self._loop.time() + SILENT_DEADLINES * deadline_s
        self._timer = self._loop.call_soon(self._poll)

    async def publish(self, records: Sequence[Record]) -> Whereabouts:
        """Return when Kafka has acknowledged all records, by all in-sync replicas.

        Raises:
            NotAcknowledged: At the deadline, or at once if no more fits into the buffer. Kafka may
                still get the records: their repeat has no second effect.
            TooLarge: Kafka takes no record of this size.
        """
        pending = Pending(self._loop.create_future(), records, self._loop.time() + self._deadline_s)
        self.begin(pending)
        if isinstance(outcome := await pending.future, Refusal):
            raise outcome
        return outcome

    def begin(self, pending: Pending) -> None:
        """Give a delivery to librdkafka; its future tells how it went.

        Raises:
            NotAcknowledged: No more fits into the buffer, or the producer failed; a part may be under way.
            TooLarge: Kafka takes no record of this size.
        """
        pending.on_trouble, key = self.on_trouble, None
        produce = self._producers.current.produce
        try:
            for topic, key, value, headers in pending.records:
                produce(
                    topic,
                    value,
                    key,
                    headers=headers,  # type: ignore[arg-type]  # a list is invariant, and bytes are taken
                    on_delivery=pending.report,
                )
        except BufferError:
            raise NotAcknowledged("queue_full") from None
        except KafkaException as error:
            raise self._refusal(error.args[0], dead_letter=key is None) from None
        if not self._pending:
            self._timer.cancel()
            self._timer = self._loop.call_later(_POLL_S, self._poll)
        self._pending.append(pending)

    def withdraw(self) -> list[Pending]:
        """Take back all that waits, in order of arrival; what is on the wire may arrive all the same."""
        waiting = [pending for pending in self._pending if not pending.future.done()]
        self._pending.clear()
        self._producers.current.purge()
        self._renew()
        return waiting

    def reaches(self, topic: str, timeout_s: float) -> bool:
        """Whether a broker answers in time, connecting to it if need be; blocks, safe in any thread."""
        try:
            self._producers.current.list_topics(topic, timeout=timeout_s)
        except KafkaException:
            return False
        return True

    def has(self, topic: str, timeout_s: float) -> bool | None:
        """Whether the cluster has a topic, None if it does not say; blocks, safe in any thread."""
        try:
            error = self._producers.current.list_topics(topic, timeout=timeout_s).topics[topic].error
        except KafkaException:
            return None
        if error is None:
            return True
        return False if error.code() in kafka_errors.TOPIC_SHUT else None

    def sample(self) -> None:
        """Set the gauge of records under way; safe in any thread."""
        metrics.KAFKA_PRODUCER_QUEUE.set(self._producers.held())

    def give_up(self) -> None:
        """End every delivery that is still under way, unacknowledged: the process is going away."""
        for pending in self._pending:
            pending.end(NotAcknowledged("shutting_down"))

    def close(self, timeout_s: float) -> int:
        """Stop polling, and wait for what librdkafka still holds; its answers have been given already.

        Returns:
            How many records were left behind: none of them was acknowledged.
        """
        self._timer.cancel()
        return self._producers.close(timeout_s)

    def _renew(self) -> None:
        self._producers.renew()
        self._renew_s = self._loop.time() + SILENT_DEADLINES * self._deadline_s

    def _poll(self) -> None:
        try:
            self._producers.poll()
            self._settle()
        finally:  # whatever a callback of ours raises, the next report must be heard
            delay_s = _POLL_S if self._pending else _IDLE_POLL_S
            self._timer = self._loop.call_later(delay_s, self._poll)

    def _settle(self) -> None:
        """Let go of what is answered, and answer what is late; deadlines are in order."""
        now_s, acknowledged = self._loop.time(), False
        while self._pending and (self._pending[0].future.done() or self._pending[0].deadline_s <= now_s):
            if self.on_trouble is not None and not self._pending[0].future.done():
                self._note_failure("no acknowledgement in time")
                self.on_trouble("deadline")  # takes all of them away
                break
            pending = self._pending.popleft()
            if not pending.future.done():
                self._note_failure("no acknowledgement within the deadline")
                pending.end(NotAcknowledged("deadline"))
                if now_s >= self._renew_s:
                    self._renew()
            elif not pending.future.cancelled() and pending.future.result() == "queued":
                acknowledged = True
        if acknowledged:
            self._dependency.succeeded()

    def _refusal(self, error: KafkaError, *, dead_letter: bool) -> Refusal:
        if error.code() in kafka_errors.TOO_LARGE:
            return TooLarge()
        if dead_letter and error.code() in kafka_errors.TOPIC_SHUT:
            return NotAcknowledged(kafka_errors.SHUT_TO_DEAD_LETTERS)
        self._on_error(error)
        return NotAcknowledged("refused")

    def _note_failure(self, reason: str) -> None:
        self._failed_s = self._clock.monotonic_s()
        self._dependency.failed(reason)

    def _on_error(self, error: KafkaError) -> None:
        """Hear of what librdkafka can't mend by itself, or is busy mending."""
        if error.fatal() or error.code() == KafkaError._FATAL:  # noqa: SLF001 - the library's own name
            self._on_fatal(error.name())
        if error.code() == KafkaError._ALL_BROKERS_DOWN:  # noqa: SLF001 - likewise
            self._note_failure("no broker can be reached")
        tell_error(error)

    def _on_statistics(self, statistics: Mapping[str, Any]) -> None:
        """Take readiness back once a broker answers, for without deliveries no report would tell."""
        metrics.KAFKA_PRODUCER_UP.set(brokers.connected(statistics))
        wrong = brokers.trouble(statistics, self._deadline_s)
        if wrong is not None:
            self._dependency.failed(wrong)
        elif self._clock.monotonic_s() - self._failed_s > self._deadline_s:
            self._dependency.succeeded()
