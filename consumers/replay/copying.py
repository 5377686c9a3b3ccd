"""Records of the log to another topic: their own key, bytes, headers and time, as fast as Kafka takes them.

Progress is noted after Kafka has acknowledged; a run that was killed sends what lies between twice, with
the same event ids.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from confluent_kafka import KafkaError, Message, Producer

from config.errors import Poison, RelayError
from config.kafka import client_options
from config.kafka_options import SILENT
from config.sections import KafkaSettings
from consumers.batch import headers_of
from consumers.dead_letters import MAX_MESSAGE_BYTES
from consumers.fates import KafkaUnavailable, is_passing
from consumers.replay.notes import NOTE_EVERY_S
from consumers.replay.order import Order
from consumers.replay.origin import Source
from consumers.replay.reading import PATIENCE_S
from schemas.codec import decode
from schemas.reader import Read as ReadBody

_AT_ONCE: Final = 10_000
Note = Callable[[Mapping[int, int], Mapping[str, int]], None]
"""Told next offsets and figures, now and then, of what is acknowledged."""
Told = Callable[[int], None]
"""Told how many offsets were read since the last time."""


class Copying:
    """Sends what a reading hands out to one topic.

    Args:
        kafka: Where the cluster is.
        order: Where to, and which records.
        rate: Records a second that are read at most; None: as fast as it goes.
        foreign: Finds the reader of a schema id that is not ours, where there is a registry.
        patience_s: How long Kafka may take to acknowledge.
    """

    def __init__(
        self,
        kafka: KafkaSettings,
        order: Order,
        *,
        rate: float | None,
        foreign: Callable[[int], ReadBody] | None = None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        if order.target is None:
            raise ValueError("a copy needs a topic")
        self._target, self._order, self._rate = order.target, order, rate
        self._patience_s, self._foreign = patience_s, foreign
        self._whole = order.user is order.source is order.type is None
        self._errors: list[KafkaError] = []
        own: dict[str, Any] = {
            "acks": "all",
            "enable.idempotence": True,
            "partitioner": "murmur2_random",
            "message.max.bytes": MAX_MESSAGE_BYTES,
            "linger.ms": 20,
            "delivery.report.only.error": True,
            "on_delivery": self._delivered,
            "logger": SILENT,
        }
        self._producer = Producer(client_options(kafka, **own))
        self._figures: dict[str, int] = {}

    def __call__(
        self, reading: Source, figures: Mapping[str, int], *, note: Note, told: Told
    ) -> Mapping[str, int]:
        """Send everything; returns counts of what was sent, left out, and could not be read.

        Raises:
            KafkaUnavailable: Kafka did not hand out or acknowledge in time; what is noted is safe.
            RelayError: Kafka refuses a record for good.
        """
        self._figures = {"sent": 0, "left_out": 0, "unreadable": 0, **figures}
        most = _AT_ONCE if self._rate is None else max(1, min(_AT_ONCE, int(self._rate / 4)))
        begun_s = noted_s = time.monotonic()
        done = 0
        while records := reading.read(most):
            messages = [record[3] for record in records]
            self._send(messages if self._whole else [one for one in messages if self._wanted(one)])
            self._producer.poll(0)
            self._check()
            done += len(records)
            told(len(records))
            if self._rate is not None:
                self._wait(begun_s + done / self._rate)
            if time.monotonic() - noted_s > NOTE_EVERY_S:
                self._settle(reading, note)
                noted_s = time.monotonic()
        self._settle(reading, note)
        return self._figures

    def _send(self, messages: Sequence[Message]) -> None:
        produce, target = self._producer.produce, self._target
        for message in messages:
            kind, timestamp_ms = message.timestamp()
            value, key = message.value(), message.key()
            headers: Any = headers_of(message)  # a list is invariant
            while True:
                try:
                    produce(target, value, key, headers=headers, timestamp=timestamp_ms if kind else 0)
                    break
                except BufferError:  # full: librdkafka sends while we wait
                    self._producer.poll(0.1)
                    self._check()
        self._figures["sent"] += len(messages)

    def _wanted(self, message: Message) -> bool:
        order = self._order
        if order.user is not None and message.key() != order.user.encode():
            self._figures["left_out"] += 1
            return False
        if order.source is None and order.type is None:
            return True
        try:
            event = decode(message.value(), self._foreign)
        except Poison:
            self._figures["unreadable"] += 1
            return False
        wanted = order.source in {None, event.source} and order.type in {None, event.type}
        self._figures["left_out"] += not wanted
        return wanted

    def _settle(self, reading: Source, note: Note) -> None:
        if self._producer.flush(self._patience_s):
            raise KafkaUnavailable("Kafka did not acknowledge in time: the same command goes on later")
        self._check()
        note(reading.next, self._figures)

    def _wait(self, until_s: float) -> None:
        while (left_s := until_s - time.monotonic()) > 0:
            self._producer.poll(min(left_s, 0.2))

    def _delivered(self, error: KafkaError | None, _: Message) -> None:
        if error is not None:
            self._errors.append(error)

    def _check(self) -> None:
        for error in self._errors:
            if is_passing(error):
                raise KafkaUnavailable(f"Kafka: {error.name()}: the same command goes on later")
            raise RelayError(f"Kafka refuses a record for {self._target}: {error.name()}")
