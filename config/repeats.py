"""What an outage says many times a second is logged once a minute, with how often it came again."""

import logging
from collections.abc import Hashable, Mapping
from threading import Lock
from typing import Any, Final

from config.clock import Clock, SystemClock

SILENT_S: Final = 60.0
LIBRDKAFKA: Final = "librdkafka"
"""The logger that Kafka's clients are given."""
REPEATING: Final[Mapping[str, tuple[str, ...]]] = {
    "consumer_error": ("problem",),
    "job_failed": ("job", "cause"),
    "kafka_error": ("problem",),
    "projection_failed": ("cause",),
    "registry_away": ("problem",),
    "sampler_failed": (),
    "scrape_failed": (),
}
"""Events of ours that may come again and again, and the fields that make them the same news."""
_EXPORTERS: Final = ("opentelemetry.", "urllib3.", "sentry_sdk.")
"""Loggers of what sends spans and reports: who is away there is told of for each try."""
_MOST_KINDS: Final = 1_000
"""A cause may quote a number that is never the same: what is remembered stays bounded."""


class Repeats(logging.Filter):
    """Lets each kind of a repeating line pass once a minute; what came meanwhile is its field `repeated`.

    A line of librdkafka is known by its facility, such as FAIL or METADATAUPDATE, whatever it says besides.

    Args:
        clock: For the minute.
    """

    def __init__(self, clock: Clock | None = None) -> None:
        super().__init__()
        self._clock = clock or SystemClock()
        self._lock = Lock()
        self._told: dict[Hashable, tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether this line is news."""
        kind = _kind(record)
        if kind is None:
            return True
        now_s = self._clock.monotonic_s()
        with self._lock:
            told_s, kept_back = self._told.get(kind, (now_s - SILENT_S, 0))
            if now_s - told_s < SILENT_S:
                self._told[kind] = told_s, kept_back + 1
                return False
            if len(self._told) >= _MOST_KINDS:
                self._told.clear()
            self._told[kind] = now_s, 0
        if kept_back:
            _add(record, kept_back)
        return True


def _kind(record: logging.LogRecord) -> Hashable:
    told: Any = record.msg
    if isinstance(told, dict):  # a line of ours, as structlog hands it to logging
        fields = REPEATING.get(str(told.get("event")))
        return None if fields is None else (told["event"], *(str(told.get(name)) for name in fields))
    if record.name.startswith(_EXPORTERS):
        return record.name, str(record.msg)  # its template, without what is filled in
    if record.name == LIBRDKAFKA and isinstance(record.args, tuple) and record.args:
        return LIBRDKAFKA, str(record.args[0])  # its facility: confluent-kafka logs "%s [%s] %s"
    return None


def _add(record: logging.LogRecord, kept_back: int) -> None:
    told: Any = record.msg
    if isinstance(told, dict):
        told["repeated"] = kept_back
    else:
        record.repeated = kept_back
