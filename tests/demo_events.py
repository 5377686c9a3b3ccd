"""A topic of real events, as a demo sends them: nights from several vendors, signed, through a relay."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from config.embedded.services import EmbeddedServices
from schemas.codec import decode
from session_relay.up.roles import Role
from session_relay.up.setting import Ports, Setting
from tests.docs.source_tree import ROOT
from tests.relay_process import records


@dataclass(frozen=True)
class DemoEvents:
    """What is in the topic, and how a consumer that is not ours gets there."""

    settings: dict[str, str]
    """KAFKA, TOPIC and REGISTRY, as the examples take them."""
    events: list[dict[str, Any]]
    """What each record tells, by our own codec."""

    @property
    def types(self) -> Counter[str]:
        """How many events there are of each type."""
        return Counter(event["type"] for event in self.events)

    def run(self, *command: str, **more: str) -> str:
        """What an example prints; it has to end well."""
        done = subprocess.run(
            command,
            cwd=ROOT,
            env=os.environ | self.settings | more,
            capture_output=True,
            text=True,
            timeout=170,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-2_000:]
        return done.stdout


@contextmanager
def demo_events(services: EmbeddedServices, topic: str, directory: Path, count: int) -> Iterator[DemoEvents]:
    """Send so many deliveries, and keep the relay, which is the registry too."""
    setting = Setting.drawn(Ports())
    kafka = services.addresses.kafka_bootstrap_servers
    own = {"KAFKA__EVENTS_TOPIC": topic, "KAFKA__DEAD_LETTERS_TOPIC": f"{topic}.dlq"}
    with Role("relay", setting.environment("relay", services.addresses) | own, directory) as relay:
        relay.wait_ready()
        url = relay.wait_url("relay_started")
        asleep, generic = setting.credentials["asleep"], setting.credentials["generic"]
        keys = {
            "ASLEEP_API_KEY": asleep.api_key or "",
            "SIMULATE_ASLEEP_SIGNING_KEY": asleep.signing_key or "",
            "SIMULATE_GENERIC_SIGNING_KEY": generic.signing_key or "",
        }
        subprocess.run(
            [sys.executable, "-m", "session_relay.cli", "simulate", "--url", url, "--count", str(count)],
            cwd=ROOT,
            env=os.environ | keys,
            capture_output=True,
            timeout=120,
            check=True,
        )
        yield DemoEvents(
            {"KAFKA": kafka, "TOPIC": topic, "REGISTRY": url},
            [_told(record.value()) for record in records(kafka, topic)],
        )


def _told(value: bytes | None) -> dict[str, Any]:
    event = decode(value)
    return {"event_id": event.event_id, "type": event.type.value, "epochs": len(event.sleep_stages or b"")}
