"""A relay whose way to Kafka can be broken, and numbered events for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from schemas.codec import decode
from tests.deliveries import as_body, generic_session
from tests.kafka_wire import KafkaProxy, KafkaWire
from tests.relay_process import RelayProcess, records


class NumberedRelay:
    """A relay, the proxy before its only broker, and the topic that it publishes to."""

    def __init__(self, relay: RelayProcess, proxy: KafkaProxy, kafka: str, topic: str) -> None:
        self.relay, self.proxy = relay, proxy
        self._kafka, self._topic = kafka, topic

    @classmethod
    @contextmanager
    def running(cls, directory: Path, kafka: str, topic: str, **settings: str) -> Iterator["NumberedRelay"]:
        """With a deadline of a second, after the first event was acknowledged by Kafka."""
        with (
            KafkaWire(kafka) as wire,
            RelayProcess.running(
                directory, wire.bootstrap_servers, topic, RELAY__DEADLINE_S="1", **settings
            ) as relay,
        ):
            (proxy,) = wire.proxies
            numbered = cls(relay, proxy, kafka, topic)
            assert numbered.send(0) == 200
            yield numbered

    def send(self, number: int) -> int:
        """Send the event with this sequence number; the answer's status."""
        return self.relay.post("/webhooks/plain", as_body(generic_session(sequence=number))).status_code

    def stored(self) -> list[int]:
        """The numbers in the topic, in the order in which each came first."""
        log = records(self._kafka, self._topic)
        return list(dict.fromkeys(decode(record.value() or b"").sequence for record in log))
