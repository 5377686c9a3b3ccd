"""Publishing what was spooled: in order, batch by batch, each acknowledged before the next begins.

A record must never be overtaken by a later one of its key. So nothing ever times out by itself, and after
any error but a refusal for good all that is under way is dropped with its producer, to begin again at the
first record of the batch: what a former producer still has on the wire is the beginning of the very same
sequence, so whatever arrives late is a repeat. A dead letter has no key, so none of that holds for it: if its
topic is missing it steps aside, and no event waits for it.
"""

import time
from collections.abc import Sequence
from threading import Event
from typing import Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from config.errors import Unavailable
from config.sections import KafkaSettings
from producers import options
from producers.kafka_errors import REFUSED_FOR_GOOD, TOPIC_SHUT
from producers.publish import Record

_LOOK_S: Final = 0.1
_SHUT_S: Final = 60.0
"""For so long a topic that took no dead letter is not tried again."""


class OrderedPublisher:
    """Publishes one batch at a time, for one thread; connects when it is first used.

    Args:
        kafka: Where, and with which options.
        stop: Once it is set, what is under way is given up.
    """

    def __init__(self, kafka: KafkaSettings, stop: Event) -> None:
        self._options, self._stop = options.ordered(kafka), stop
        self._ours = frozenset({kafka.events_topic, kafka.dead_letters_topic})
        self._failed_topic = ""
        self._producer: Producer | None = None
        self._errors: list[KafkaError] = []
        self._shut: dict[str, tuple[str, float]] = {}
        """Topics of dead letters that took none: why, and until when that is believed."""

    def publish(self, records: Sequence[Record], timeout_s: float | None = None) -> dict[int, str]:
        """Return when Kafka has acknowledged all records but those that it refuses for good.

        Args:
            records: In the order in which they are to be in Kafka.
            timeout_s: Seconds to wait for a sign of Kafka; by default without end.

        Returns:
            Kafka's reason for each refused record, by its index. A refusal is believed only of a record that
            was sent alone: librdkafka reports it of a whole batch. A dead letter whose topic is missing is
            refused too.

        Raises:
            Unavailable: Kafka is away, in trouble, or time or `stop` has ended it. Begin again with the same
                records.
        """
        try:
            while True:
                refused = self._steps_aside(records)
                rest = [index for index in range(len(records)) if index not in refused]
                sent, shut = [records[index] for index in rest], len(self._shut)
                error = self._send(sent, timeout_s)
                if error is None:
                    return refused
                if len(self._shut) == shut:
                    singly = self._publish_singly(sent, error, timeout_s)
                    return refused | {rest[index]: reason for index, reason in singly.items()}
        except KafkaException as failed:
            self.close()
            raise Unavailable(self._told(failed.args[0])) from None
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Drop all that is under way; the next batch gets a new producer."""
        if self._producer is not None:
            self._producer.purge()
            self._producer.flush(0)
            self._producer = None
        self._errors.clear()

    def _steps_aside(self, records: Sequence[Record]) -> dict[int, str]:
        now_s = time.monotonic()
        self._shut = {topic: shut for topic, shut in self._shut.items() if shut[1] > now_s}
        return {
            index: self._shut[record.topic][0]
            for index, record in enumerate(records)
            if record.key is None and record.topic in self._shut
        }

    def _publish_singly(
        self, records: Sequence[Record], error: KafkaError, timeout_s: float | None
    ) -> dict[int, str]:
        refused = {}
        for index, record in enumerate(records):
            error_of_one = self._send([record], timeout_s) if len(records) > 1 else error
            if error_of_one is None:
                continue
            if error_of_one.code() not in REFUSED_FOR_GOOD:
                raise KafkaException(error_of_one)
            refused[index] = error_of_one.name()
        return refused

    def _send(self, records: Sequence[Record], timeout_s: float | None) -> KafkaError | None:
        """Produce and wait; an error is one of them, and then the producer is gone."""
        if self._producer is None:
            self._producer = Producer(self._options)
        producer, last_s = self._producer, time.monotonic()
        for topic, key, value, headers in records:
            while True:
                try:
                    producer.produce(topic, value, key, headers=headers, on_delivery=self._note)  # type: ignore[arg-type]  # as in producers/publish.py
                    break
                except BufferError:
                    last_s = self._wait(producer, last_s, timeout_s)
                except KafkaException as refusal:
                    self._note_error(refusal.args[0], topic, key)
                    break
        while len(producer) and not self._errors:
            last_s = self._wait(producer, last_s, timeout_s)
        if not self._errors:
            return None
        error = self._errors[0]
        self.close()
        return error

    def _wait(self, producer: Producer, last_s: float, timeout_s: float | None) -> float:
        before = len(producer)
        left = producer.flush(_LOOK_S)
        if self._stop.is_set():
            raise Unavailable("stopped before Kafka had acknowledged it")
        if left < before:
            return time.monotonic()
        if timeout_s is not None and time.monotonic() - last_s > timeout_s:
            raise Unavailable(f"Kafka has acknowledged nothing for {timeout_s:g} s")
        return last_s

    def _note(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._note_error(error, message.topic() or "", message.key())

    def _note_error(self, error: KafkaError, topic: str, key: str | bytes | None) -> None:
        self._errors.append(error)
        self._failed_topic = topic
        if key is None and error.code() in TOPIC_SHUT:
            self._shut[topic] = error.name(), time.monotonic() + _SHUT_S

    def _told(self, error: KafkaError) -> str:
        if error.code() != KafkaError.UNKNOWN_TOPIC_OR_PART or self._failed_topic not in self._ours:
            return f"Kafka: {error.str()}"
        return f"Kafka: {error.str()}: session-relay topics apply --execute makes {self._failed_topic}"
