"""An outage says the same several times a second; the log says it once a minute, and how often it was."""

import logging
from typing import Any

from config.repeats import REPEATING, Repeats
from tests.docs.test_operations import log_events
from tests.frozen_clock import FrozenClock


def ours(event: str, **fields: Any) -> logging.LogRecord:
    """A line as structlog hands it to logging."""
    return logging.LogRecord("config", logging.WARNING, "", 0, {"event": event, **fields}, (), None)


def librdkafka(facility: str, text: str = "10.0.0.1:9092/1: gone") -> logging.LogRecord:
    """A line as confluent-kafka hands it to its logger."""
    args = (facility, "rdkafka#producer-1", text)
    return logging.LogRecord("librdkafka", logging.ERROR, "", 0, "%s [%s] %s", args, None)


def test_each_kind_passes_once_a_minute() -> None:
    clock = FrozenClock()
    repeats = Repeats(clock)
    one, other = ("kafka_error", "_TRANSPORT"), ("kafka_error", "_ALL_BROKERS_DOWN")
    seen = [repeats.filter(ours(event, problem=problem)) for event, problem in (one, other, one, other)]
    assert seen == [True, True, False, False]
    clock.pass_s(59)
    assert not repeats.filter(ours("kafka_error", problem="_TRANSPORT"))
    clock.pass_s(1)
    line = ours("kafka_error", problem="_TRANSPORT")
    assert repeats.filter(line)
    assert isinstance(line.msg, dict)
    assert line.msg["repeated"] == 2


def test_librdkafkas_lines_are_known_by_their_facility() -> None:
    clock = FrozenClock()
    repeats = Repeats(clock)
    lines = [librdkafka("METADATAUPDATE", f"topic {number}") for number in range(10)] + [librdkafka("FAIL")]
    assert [repeats.filter(line) for line in lines] == [True, *[False] * 9, True]
    clock.pass_s(60)
    again = librdkafka("METADATAUPDATE")
    assert repeats.filter(again)
    assert vars(again)["repeated"] == 9
    clock.pass_s(60)
    once = librdkafka("METADATAUPDATE")
    assert repeats.filter(once)
    assert "repeated" not in vars(once)


def test_an_exporter_of_spans_is_known_by_what_it_says() -> None:
    repeats = Repeats(FrozenClock())
    lines = [
        logging.LogRecord(
            "opentelemetry.exporter", logging.WARNING, "", 0, "gone, again in %ss", (wait,), None
        )
        for wait in range(3)
    ]
    assert [repeats.filter(line) for line in lines] == [True, False, False]


def test_what_does_not_repeat_by_itself_always_passes() -> None:
    repeats = Repeats(FrozenClock())
    other = logging.LogRecord("httpx", logging.WARNING, "", 0, "gone: %s", ("FAIL",), None)
    for line in (ours("request", status=503), ours("record_parked"), other):
        assert [repeats.filter(line) for _ in range(3)] == [True] * 3


def test_what_is_remembered_is_bounded() -> None:
    repeats = Repeats(FrozenClock())
    for number in range(5_000):
        assert repeats.filter(ours("job_failed", job="batch", cause=f"pid {number}"))
    assert len(repeats._told) <= 1_000


def test_every_repeating_event_is_one_that_the_code_has() -> None:
    assert REPEATING.keys() - log_events() == set()
