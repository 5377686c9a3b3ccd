"""librdkafka's producer, and another in its place once it can't be trusted any more.

One that heard of a partition without a leader may never send to it again, whatever Kafka says later
(librdkafka's issue 5430, open); one that was told of no broker may never ask any again (its issue 5301).
"""

from collections.abc import Callable, Mapping
from threading import Thread
from typing import Any

import structlog
from confluent_kafka import Producer

from config.brokers import Watch

log = structlog.get_logger()


class Succession:
    """The producer in use, and former ones for as long as they hold something; polled by one thread.

    Args:
        options: librdkafka's, with an interval for statistics.
        on_statistics: Told what the producer in use tells of itself.
    """

    def __init__(
        self, options: Mapping[str, Any], on_statistics: Callable[[Mapping[str, Any]], None]
    ) -> None:
        self._options, self._on_statistics = options, on_statistics
        self._former: list[Producer] = []
        self._watch = Watch(on_statistics)
        self.current = self._made()

    def renew(self) -> None:
        """Have another take over; what the former one holds may still arrive."""
        self._former.append(self.current)
        self._watch.end()
        self._watch = Watch(self._on_statistics)
        self.current = self._made()

    def poll(self) -> None:
        """Hear reports and statistics, and renew a producer that knows no broker and holds nothing.

        One that holds records keeps its place: another would let a later record of a key overtake them.
        They are late soon, and whoever waits for them sees to it.
        """
        self.current.poll(0)
        if self._watch.is_stranded and not len(self.current):
            log.warning("kafka_brokers_forgotten")
            self.renew()
        if self._former:
            self._poll_former()

    def held(self) -> int:
        """How many records are under way; safe in any thread."""
        return sum(len(producer) for producer in [self.current, *self._former])

    def close(self, timeout_s: float) -> int:
        """Wait so long for what is under way; returns how many records were left behind."""
        self.current.flush(max(0.0, timeout_s))
        self.poll()  # what is not a record counts as under way too, until it is heard
        left = self.held()
        self.current.purge()
        self.current.flush(0)
        return left

    def _made(self) -> Producer:
        return Producer({**self._options, "stats_cb": self._watch})

    def _poll_former(self) -> None:
        done = [former for former in self._former if _is_done(former)]
        self._former = [former for former in self._former if former not in done]
        if done:  # the last reference to a producer waits for its threads: let it go in one of our own
            Thread(target=done.clear, name="ending-producers", daemon=True).start()


def _is_done(former: Producer) -> bool:
    former.poll(0)
    return not len(former)
