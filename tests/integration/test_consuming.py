"""The example in Python reads the relay's topic with Confluent's own client, every event as it is."""

import json
import sys
from pathlib import Path

import pytest

from config.embedded.services import EmbeddedServices
from tests.demo_events import demo_events

pytestmark = pytest.mark.integration


def test_the_python_example_reads_every_event(services: EmbeddedServices, topic: str, tmp_path: Path) -> None:
    with demo_events(services, topic, tmp_path, 40) as demo:
        lines = demo.run(sys.executable, "examples/read_events.py", GROUP=topic).splitlines()
    told = [json.loads(line) for line in lines]
    assert all(event.pop("occurred_at").endswith("+00:00") for event in told)
    assert sorted(told, key=str) == sorted(demo.events, key=str)
    assert len(demo.types) > 2
