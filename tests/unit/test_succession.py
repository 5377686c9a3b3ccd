"""A producer that knows no broker any more is replaced, but never while it holds what could be overtaken."""

import json

from producers.succession import Succession
from tests.eventually import eventually

OPTIONS = {"bootstrap.servers": "127.0.0.1:9", "log_level": 0}


def strand(producers: Succession) -> None:
    for _ in range(3):
        producers._watch(json.dumps({"brokers": {}}))


def polled(producers: Succession) -> Succession:
    producers.poll()
    return producers


def test_one_that_holds_nothing_is_renewed_at_once() -> None:
    producers = Succession(OPTIONS, lambda _: None)
    first = producers.current
    producers.poll()
    assert producers.current is first
    strand(producers)
    eventually(lambda: polled(producers).current is not first)
    second = producers.current
    producers.poll()
    assert producers.current is second


def test_one_that_holds_a_record_keeps_its_place_until_that_is_gone() -> None:
    """Else the next record of its key would go to another producer, and be acknowledged before it."""
    producers = Succession(OPTIONS, lambda _: None)
    first = producers.current
    first.produce("topic", b"value", b"key")
    strand(producers)
    for _ in range(10):
        producers.poll()
    assert producers.current is first
    first.purge()
    eventually(lambda: polled(producers).current is not first)


def test_what_a_former_one_holds_is_counted_until_it_is_gone() -> None:
    producers = Succession(OPTIONS, lambda _: None)
    producers.current.produce("topic", b"value")
    producers.renew()
    producers.current.produce("topic", b"value")
    assert producers.held() >= 2
    assert producers.close(0) >= 2
