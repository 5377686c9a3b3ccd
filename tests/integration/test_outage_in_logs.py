"""What relay and sink log while no broker is there: each kind of news once, and nothing past the log."""

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.eventually import PATIENCE_S, eventually
from tests.ports import free_port
from tests.relay_process import RelayProcess
from tests.sink_rig import SinkRig

pytestmark = pytest.mark.integration

_LONG_ENOUGH_S = 2.5
"""librdkafka says most things anew every second."""


def uptime_s(port: int) -> float:
    text = httpx.get(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE_S).text
    return next(float(line.split()[1]) for line in text.splitlines() if line.startswith("app_uptime_seconds"))


def kind(line: Mapping[str, Any]) -> tuple[str, str]:
    """As `config.repeats` has it: librdkafka's lines begin with their facility."""
    return line["event"].partition(" ")[0], str(line.get("problem", line.get("job", "")))


def assert_each_once(text: str) -> None:
    lines = [json.loads(line) for line in text.splitlines()]  # fails on what is no line of the log
    counted = Counter(kind(line) for line in lines if line["level"] in {"warning", "error"})
    assert ("kafka_error", "_ALL_BROKERS_DOWN") in counted
    assert ("FAIL", "") in counted
    assert {kind: count for kind, count in counted.items() if count > 1} == {}


def test_a_relay_tells_each_kind_once(tmp_path: Path) -> None:
    with RelayProcess.running(tmp_path, f"127.0.0.1:{free_port()}", "nowhere") as relay:
        eventually(lambda: uptime_s(relay.sidecar_port) > _LONG_ENOUGH_S)
        relay.told("kafka_error", problem="_ALL_BROKERS_DOWN")
        relay.stop()
        assert_each_once(relay.log_text())


def test_a_sink_tells_each_kind_once(rig: SinkRig) -> None:
    """It is a member of two groups, has a client that asks and one that writes."""
    sink = rig.start(KAFKA__BOOTSTRAP_SERVERS=f"127.0.0.1:{free_port()}", METRICS__SINK_PORT="0")
    (line,) = eventually(lambda: rig.told(sink, "sidecar_started"))
    eventually(lambda: uptime_s(line["port"]) > _LONG_ENOUGH_S)
    eventually(lambda: rig.told(sink, "kafka_error", problem="_ALL_BROKERS_DOWN"))
    sink.terminate()
    sink.wait(PATIENCE_S)
    assert_each_once(rig.log_of(sink))
