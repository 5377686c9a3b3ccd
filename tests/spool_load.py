"""Senders that go on through an outage, each one user's events in turn; and what must be true then."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

import httpx
from confluent_kafka import Message

from schemas.codec import decode
from tests.deliveries import as_body, generic_session
from tests.relay_process import RelayProcess

SAFE = frozenset({200, 202})


class Answer(NamedTuple):
    begun_s: float
    took_s: float
    status: int
    event_id: str


class Senders:
    """Answers so far, over all senders."""

    def __init__(self) -> None:
        self.answers: list[Answer] = []
        self.broken = 0
        """Requests that ended without an answer."""

    def statuses(self) -> set[int]:
        return {answer.status for answer in self.answers}

    def count(self, status: int) -> int:
        return sum(answer.status == status for answer in self.answers)

    def safe_ids(self) -> set[str]:
        return {answer.event_id for answer in self.answers if answer.status in SAFE}

    @contextmanager
    def sending(self, relay: RelayProcess, lanes: int = 8, *, rest_s: float = 0.0) -> Iterator[None]:
        """Send until the block ends; every lane's next event follows its last one's answer, after a rest."""
        stop = threading.Event()
        threads = [
            threading.Thread(target=self._send, args=(relay.url, f"{relay.process.pid}-{lane}", stop, rest_s))
            for lane in range(lanes)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    def _send(self, url: str, user: str, stop: threading.Event, rest_s: float) -> None:
        with httpx.Client(timeout=30) as client:
            sequence = 0
            while not stop.wait(rest_s):
                sequence += 1
                told = generic_session(user_id=user, session_id=user, sequence=sequence)
                begun_s = time.monotonic()
                try:
                    answer = client.post(f"{url}/webhooks/plain", content=as_body(told))
                except httpx.TransportError:  # the relay was killed
                    self.broken += 1
                    return
                ids = answer.json().get("event_ids", [""])
                took_s = time.monotonic() - begun_s
                self.answers.append(Answer(begun_s, took_s, answer.status_code, ids[0]))
                if answer.status_code not in SAFE:
                    sequence -= 1  # a vendor sends it again


def check_promise(found: list[Message], senders: Senders) -> int:
    """Nothing missing, first occurrences in order per key, the ids are the events'; counts the repeats."""
    latest: dict[str, int] = {}
    seen: set[str] = set()
    repeats = 0
    for message in sorted(found, key=lambda one: (one.partition() or 0, one.offset() or 0)):
        value = message.value()
        assert value is not None
        event = decode(value)
        assert dict(message.headers() or [])["ce_id"] == event.event_id.encode()
        if event.event_id in seen:
            repeats += 1
            continue
        seen.add(event.event_id)
        assert event.sequence > latest.get(event.user_id, 0), "overtaken"
        latest[event.user_id] = event.sequence
    assert senders.safe_ids() - seen == set()
    return repeats
