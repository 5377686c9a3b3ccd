"""`spool drain` empties the file of a relay that is gone, and leaves that of a living one alone."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from config.embedded.services import EmbeddedServices
from tests.eventually import eventually
from tests.faults.relay.test_spool_set_aside import write_damaged
from tests.freezing import freeze
from tests.relay_process import INHERITED, ROOT, RelayProcess, records
from tests.spool_load import Senders, check_promise

pytestmark = pytest.mark.faults


def drain(path: Path, kafka: str, *options: str) -> tuple[int, str]:
    inherited = {name: text for name, text in os.environ.items() if name in INHERITED}
    done = subprocess.run(
        [sys.executable, "-m", "session_relay.cli", "spool", "drain", str(path), *options],
        env={**inherited, "PYTHONPATH": str(ROOT), "KAFKA__BOOTSTRAP_SERVERS": kafka},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return done.returncode, done.stdout + done.stderr


def test_a_file_without_an_owner_is_drained(services: EmbeddedServices, topic: str, tmp_path: Path) -> None:
    kafka, broker = services.addresses.kafka_bootstrap_servers, services.pids["kafka-1"]
    path = tmp_path / ".session-relay" / "spool" / "relay-0.db"
    senders = Senders()
    freeze(broker)
    try:
        settings = {"RELAY__SPOOL_AFTER_S": "0.2"}
        with RelayProcess.running(tmp_path, kafka, topic, **settings) as relay:  # noqa: SIM117 - it goes on
            with senders.sending(relay):
                eventually(lambda: senders.count(202) > 100)
                code, told = drain(path, kafka, "--execute")
                assert (code, "belongs to a relay that runs" in told) == (1, True)
                relay.process.kill()
        code, told = drain(path, kafka, "--execute", "--timeout", "1")
        assert (code, "acknowledged nothing for 1 s" in told) == (4, True)
    finally:
        os.kill(broker, signal.SIGCONT)
    code, told = drain(path, kafka)
    assert (code, "to drain with --execute" in told) == (0, True)
    code, told = drain(path, kafka, "--execute")
    assert (code, "Done:" in told) == (0, True)
    assert drain(path, kafka, "--execute")[1].startswith(f"{path}: 0 events, 0 bytes")
    check_promise(records(kafka, topic), senders)


def test_damaged_rows_are_told_and_kept(services: EmbeddedServices, topic: str, tmp_path: Path) -> None:
    path, kafka = tmp_path / "spool" / "relay-0.db", services.addresses.kafka_bootstrap_servers
    damaged = write_damaged(path, topic)
    for _ in range(2):
        code, told = drain(path, kafka, "--execute")
        assert (code, f"set aside: {damaged} (DAMAGED)" in told) == (1, True), told
    assert len(records(kafka, topic)) == 3


def test_a_file_that_is_not_there_is_wrong_usage(tmp_path: Path) -> None:
    code, told = drain(tmp_path / "absent.db", "127.0.0.1:9")
    assert (code, "there is no spool file" in told) == (2, True)
