"""The relay is killed with a full spool: the next one takes the file up, and nothing is lost.

Nor is it where somebody has looked at the file before: SQLite of another process must not take its log away.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from config.embedded.services import EmbeddedServices
from tests.eventually import eventually
from tests.freezing import freeze
from tests.relay_process import RelayProcess, records
from tests.spool_load import Senders, check_promise

pytestmark = pytest.mark.faults


def looked_at(path: Path) -> int:
    """How many events somebody finds in a file, in a process of their own."""
    ask = "sqlite3.connect(sys.argv[1]).execute('SELECT count(*) FROM events').fetchone()[0]"
    look = f"import sqlite3, sys; print({ask})"
    return int(subprocess.check_output([sys.executable, "-c", look, path], text=True, timeout=60))


def test_a_killed_relay_leaves_its_spool_to_the_next(
    services: EmbeddedServices, topic: str, tmp_path: Path
) -> None:
    kafka, broker = services.addresses.kafka_bootstrap_servers, services.pids["kafka-1"]
    senders = Senders()
    freeze(broker)
    try:
        with (
            RelayProcess.running(tmp_path, kafka, topic, RELAY__SPOOL_AFTER_S="0.2") as relay,
            senders.sending(relay),
        ):
            eventually(lambda: senders.count(202) > 250)
            assert looked_at(tmp_path / ".session-relay" / "spool" / "relay-0.db") > 0
            looked = senders.count(202)
            eventually(lambda: senders.count(202) > looked + 250)
            relay.process.kill()
            eventually(lambda: senders.broken == 8)
        with RelayProcess.running(tmp_path, kafka, topic, RELAY__SPOOL_AFTER_S="0.2") as relay:
            relay.told("relay_turned_to_spool", reason="left_from_before")
            with senders.sending(relay):
                spooled = senders.count(202)
                eventually(lambda: senders.count(202) > spooled + 100)
                os.kill(broker, signal.SIGCONT)
                relay.told("relay_back_to_kafka")
            eventually(lambda: relay.metrics()["relay_spool_events"] == 0)
            assert relay.stop() == 0
    finally:
        os.kill(broker, signal.SIGCONT)
    check_promise(records(kafka, topic), senders)
