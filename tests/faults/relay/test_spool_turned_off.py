"""The spool is turned off while a file still holds events: the relay says so at its start."""

import os
import signal
from pathlib import Path

import pytest

from config.embedded.services import EmbeddedServices
from tests.deliveries import as_body, generic_session
from tests.freezing import freeze
from tests.relay_process import RelayProcess

pytestmark = pytest.mark.faults


def test_a_file_that_nobody_will_drain_is_told(
    services: EmbeddedServices, topic: str, tmp_path: Path
) -> None:
    kafka, broker = services.addresses.kafka_bootstrap_servers, services.pids["kafka-1"]
    with RelayProcess.running(tmp_path, kafka, topic, RELAY__SPOOL="false") as relay:
        assert relay.stop() == 0
        assert not (tmp_path / ".session-relay").exists()
    freeze(broker)
    try:
        with RelayProcess.running(tmp_path, kafka, topic, RELAY__SPOOL_AFTER_S="0.2") as relay:
            assert relay.post("/webhooks/plain", as_body(generic_session())).status_code == 202
            relay.process.kill()
            relay.process.wait()
    finally:
        os.kill(broker, signal.SIGCONT)
    path = tmp_path / ".session-relay" / "spool" / "relay-0.db"
    with RelayProcess.running(tmp_path, kafka, topic, RELAY__SPOOL="false") as relay:
        told = relay.told("spool_without_owner", path=str(path), events=1, set_aside=0)
        assert (told["level"], str(path) in told["drain"]) == ("warning", True)
        assert relay.stop() == 0
