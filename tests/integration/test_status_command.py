"""`session-relay status` beside a real relay and a real sink."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from tests.eventually import PATIENCE_S, eventually
from tests.ports import free_port
from tests.relay_process import ROOT, RelayProcess
from tests.sink_rig import SinkRig

pytestmark = pytest.mark.integration

HEADERS = {"content-type": "application/json"}


def body(number: int) -> bytes:
    event = {"type": "SESSION_COMPLETE", "user_id": f"u-{number}", "session_id": f"s-{number}"}
    return json.dumps(event | {"occurred_at": "2026-11-20T06:40:00Z"}).encode()


def status(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "session_relay.cli", "status", *arguments],
        env=os.environ | {"PYTHONPATH": str(ROOT), "COLUMNS": "100"} | settings,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def told(result: subprocess.CompletedProcess[str]) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(result.stdout.splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def relay(module_rig: SinkRig, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayProcess]:
    directory = tmp_path_factory.mktemp("relay")
    with RelayProcess.running(directory, module_rig.kafka, module_rig.topic) as running:
        yield running


@pytest.fixture(scope="module")
def ports(relay: RelayProcess, module_rig: SinkRig) -> tuple[int, int]:
    """Of the sidecars of relay and sink, when 20 events are written, and one record is parked."""
    sink = module_rig.start()
    for number in range(20):
        assert relay.post("/webhooks/plain", body(number), HEADERS).status_code == 200
    module_rig.publish_bytes([(b"u-1", b"no event")])
    module_rig.wait_until_done(21)
    (line,) = eventually(lambda: module_rig.told(sink, "sidecar_started"))
    return relay.sidecar_port, line["port"]


def test_it_tells_what_really_happened(ports: tuple[int, int], relay: RelayProcess) -> None:
    """Method: deliveries go on from before its first look until after its last."""
    over = Event()

    def send() -> None:
        for number in range(100, 100_000):
            if over.is_set():
                return
            relay.post("/webhooks/plain", body(number), HEADERS)

    sending = Thread(target=send)
    sending.start()
    result = status("--json", "--over", "1.5", *(f"--url=http://127.0.0.1:{port}" for port in ports))
    over.set()
    sending.join()
    assert (result.returncode, result.stderr) == (0, "")
    found = told(result)
    assert found["over_s"] >= 1.5
    assert found["relay"]["acknowledged_per_s"] > 0
    assert found["relay"]["accepted"] > 20
    assert found["relay"]["kafka_up"]
    assert found["sink"]["written_per_s"] > 0
    assert found["sink"]["outcomes"]["parked"] == 1
    assert found["sink"]["breakers"] == {"postgres": "closed"}
    assert 0 < found["sink"]["committed_p95_s"] < 60
    assert found["backfill"] is None
    assert [role["role"] for role in found["roles"]] == ["relay", "sink"]


def test_without_addresses_it_asks_the_ports_of_the_settings(ports: tuple[int, int]) -> None:
    relay_port, sink_port = ports
    settings = {
        "METRICS__RELAY_PORT": str(relay_port),
        "METRICS__SINK_PORT": str(sink_port),
        "METRICS__BACKFILL_PORT": str(free_port()),
    }
    eventually(lambda: told(status("--json", "--over", "0.1", **settings))["sink"]["dead_letters_open"] == 1)
    result = status("--over", "0.1", **settings)
    assert (result.returncode, result.stderr) == (0, "")
    assert re.search(r"accepted +│ 0\.0 a second|accepted +│ \d", result.stdout)
    assert re.search(r"dead letters open +│ 1", result.stdout)
    assert "dead letters are open: docs/operations/dead-letters-growing.md" in result.stdout
    assert result.stdout.count("ready") == 2


def test_a_sidecar_that_does_not_answer_is_exit_code_4_and_the_others_are_shown(
    ports: tuple[int, int],
) -> None:
    result = status(
        "--over", "0.1", "--url", f"http://127.0.0.1:{ports[1]}", "--url", f"http://127.0.0.1:{free_port()}"
    )
    assert result.returncode == 4
    assert "written" in result.stdout
    assert "does not answer (ConnectError)" in result.stdout


def test_watching_goes_on_until_ctrl_c(ports: tuple[int, int], tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    command = [sys.executable, "-m", "session_relay.cli", "status", "--watch", "--json", "--over", "0.1"]
    with seen.open("wb") as out:
        process = subprocess.Popen(
            [*command, "--url", f"http://127.0.0.1:{ports[0]}"],
            env=os.environ | {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
            stdout=out,
        )
    try:
        eventually(lambda: len(seen.read_text().splitlines()) >= 3)
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 0
    finally:
        process.kill()
    assert all(json.loads(line)["relay"] for line in seen.read_text().splitlines())
