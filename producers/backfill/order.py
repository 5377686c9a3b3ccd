"""What a backfill is told to do, and what can be known to be wrong with it before it begins."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from config.cluster import Cluster
from config.errors import SettingsError
from config.settings import Settings
from config.webhook_sources import Source
from producers.backfill.asleep import Days

_VENDOR: Final = "asleep"


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is to be fetched.

    Attributes:
        source: Name of the source that the events belong to.
        users: Whose sessions, each one once.
        days: When these began.
        state: File of those that are finished.
        failed: File for the ids of those that failed, if wanted.
        dry: Whether to fetch and check only.
    """

    source: str
    users: Sequence[str]
    days: Days
    state: Path
    failed: Path | None
    dry: bool


def source_of(settings: Settings, name: str) -> Source:
    """Find the source that the events will belong to.

    Raises:
        SettingsError: There is none, or its vendor has no API that we know.
    """
    source = settings.sources.get(name)
    if source is None:
        raise SettingsError(f"SOURCES: has no source {name}; set SOURCES, or ASLEEP_API_KEY for asleep")
    if source.vendor != _VENDOR:
        raise SettingsError(f"SOURCES.{name}.vendor: {source.vendor} has no API to fetch from; {_VENDOR} has")
    return source


def key_of(settings: Settings) -> str:
    """The key for the vendor's API.

    Raises:
        SettingsError: There is none, or it can't be sent.
    """
    key = settings.backfill.asleep_api_key
    text = "" if key is None else key.get_secret_value().strip()
    if not text:
        raise SettingsError("ASLEEP_API_KEY: not set, and the vendor's API wants it")
    if not text.isascii() or not text.isprintable():
        raise SettingsError("ASLEEP_API_KEY: must be visible ASCII characters to be sent in a header")
    return text


def look_for_the_topic(settings: Settings) -> None:
    """Say at once what a publication would find out after a long wait.

    Raises:
        SettingsError: Kafka has no such topic.
        Unavailable: Kafka is away.
    """
    topic = settings.kafka.events_topic
    if topic not in Cluster(settings.kafka).snapshot([topic]).topics:
        raise SettingsError(f"Kafka has no topic {topic}: session-relay topics apply --execute makes it")
