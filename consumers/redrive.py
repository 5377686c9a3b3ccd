"""Sending dead letters again: the stored bytes, key and headers to the topic that they came from."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

from confluent_kafka import KafkaError, KafkaException, Producer

from config.kafka import client_options
from config.kafka_options import SILENT
from config.sections import KafkaSettings
from consumers.batch import Headers
from consumers.dead_letters import MAX_MESSAGE_BYTES, REDRIVES, foreign
from consumers.fates import KafkaUnavailable, is_passing, kafka_errors
from consumers.selection import LetterTable, Selection

MOST_REDRIVES: Final = 5
_TIMEOUT_S: Final = 10.0


class Refused(NamedTuple):
    """A dead letter that can't be sent again, and why."""

    id: int
    why: str


class Step(NamedTuple):
    """What became of some dead letters."""

    sent: int
    refused: Sequence[Refused]


class Redrive:
    """Sends dead letters to the events topic; the table is told when Kafka has acknowledged.

    A crash in between sends one twice, which is harmless: it is the same event.
    """

    def __init__(self, kafka: KafkaSettings, table: LetterTable) -> None:
        self._topic, self._table = kafka.events_topic, table
        own = {"acks": "all", "enable.idempotence": True, "partitioner": "murmur2_random"}
        self._producer = Producer(
            client_options(kafka, **own, **{"message.max.bytes": MAX_MESSAGE_BYTES, "logger": SILENT})
        )

    def __call__(self, selection: Selection, *, execute: bool) -> Iterator[Step]:
        """Go through a selection; without `execute` only say what would be sent, and what can't be.

        Raises:
            KafkaUnavailable: Kafka did not acknowledge in time; those letters are still open.
        """
        for letters in self._table.taken(selection):
            refusals = {letter["id"]: self._refusal(letter) for letter in letters}
            refused = [Refused(number, why) for number, why in refusals.items() if why is not None]
            wanted = [letter for letter in letters if refusals[letter["id"]] is None]
            if execute:
                refused += self._send(wanted)
                failed = {one.id for one in refused}
                wanted = [letter for letter in wanted if letter["id"] not in failed]
                self._table.redriven([letter["id"] for letter in wanted])
            yield Step(len(wanted), refused)

    def _refusal(self, letter: Mapping[str, Any]) -> str | None:
        if letter["stage"] == "relay":
            source = letter["source"] or "SOURCE"
            return f"it never was an event, so no sink can read it: deliver it again to /webhooks/{source}"
        if letter["origin_topic"] != self._topic:
            return f"it does not come from {self._topic}, so where it belongs is not known"
        if letter["redrives"] >= MOST_REDRIVES:
            return f"it was sent again {letter['redrives']} times already"
        return None

    def _send(self, letters: Sequence[Mapping[str, Any]]) -> list[Refused]:
        refused: list[Refused] = []
        waiting: list[KafkaError] = []

        def delivered(number: int, error: KafkaError | None) -> None:
            if error is not None and is_passing(error):
                waiting.append(error)
            elif error is not None:
                refused.append(Refused(number, f"Kafka refuses it: {error.name()}"))

        with kafka_errors():
            for letter in letters:
                self._produce(letter, delivered)
            left = self._producer.flush(_TIMEOUT_S)
        if left or waiting:
            raise KafkaUnavailable("Kafka did not acknowledge in time; what was not noted is still open")
        return refused

    def _produce(self, letter: Mapping[str, Any], delivered: Any) -> None:
        number = letter["id"]
        try:
            self._producer.produce(
                self._topic,
                key=letter["key"],
                value=letter["value"],
                headers=headers_of(letter),  # type: ignore[arg-type]  # a list is invariant
                on_delivery=lambda error, _: delivered(number, error),
            )
        except KafkaException as error:
            delivered(number, error.args[0])
        except BufferError as error:
            raise KafkaUnavailable("no more fits in before Kafka has acknowledged") from error


def headers_of(letter: Mapping[str, Any]) -> Headers:
    """The record's own headers, and how often it has been sent again with this time."""
    stored: Headers = list(zip(letter["header_names"], letter["header_values"], strict=True))
    return [*foreign(stored), (REDRIVES, str(letter["redrives"] + 1).encode())]
