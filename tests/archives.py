"""Archives of a test: what is in them, and how to damage them."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from schemas.codec import encode
from schemas.event import EventType, SessionEvent
from tests.events import NOW_US, made
from tests.replay_commands import told
from tests.sink_rig import SinkRig

DAY_MS = 86_400_000
EVENTS = [
    made(session=f"s-{n}", user=f"u-{n % 7}", sequence=n, kind=kind)
    for n in range(60)
    for kind in (EventType.SESSION_STARTED, EventType.SESSION_COMPLETE)
]


def archived(rig: SinkRig, archive: Path) -> Any:
    """Write one; what the command tells."""
    return told(rig, "archive", "--to", archive, "--execute")


def publish_over_days(rig: SinkRig, events: list[SessionEvent], days: int) -> None:
    """Publish events as if they had come in over the last so many days, headers and all."""
    first_ms = NOW_US // 1000
    for n, event in enumerate(events):
        at_ms = first_ms + n * days * DAY_MS // len(events)
        headers: Any = [("ce_id", event.event_id.encode()), ("ce_id", b"twice"), ("empty", None)]
        rig.producer.produce(rig.topic, encode(event), event.user_id, headers=headers, timestamp=at_ms)
        rig.producer.poll(0)
    assert rig.producer.flush(30) == 0


def files(archive: Path) -> list[Path]:
    """Its Avro files."""
    return sorted(archive.glob("**/*.avro"))


def manifest(archive: Path) -> Any:
    """What it says of itself."""
    return json.loads((archive / "manifest.json").read_text("utf-8"))


def _truncate(archive: Path) -> str:
    path = files(archive)[1]
    path.write_bytes(path.read_bytes()[:-7])
    return str(path)


def _alter(archive: Path) -> str:
    path = files(archive)[1]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    return str(path)


def _remove(archive: Path) -> str:
    path = files(archive)[1]
    path.unlink()
    return str(path)


def _grow(archive: Path) -> str:
    path = files(archive)[1]
    path.write_bytes(path.read_bytes() + b"more")
    return str(path)


DAMAGE: dict[str, tuple[Callable[[Path], str], str]] = {
    "truncated": (_truncate, "is truncated"),
    "altered": (_alter, "SHA-256"),
    "missing": (_remove, "is missing"),
    "grown": (_grow, "was altered"),
}
"""What can happen to a file, by name; each tells which it was, and what is said of it."""
