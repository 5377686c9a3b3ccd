import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from config.embedded.services import EmbeddedServices
from tests.deliveries import as_body, generic_session
from tests.eventually import PATIENCE_S, eventually
from tests.relay_process import RelayProcess, records

pytestmark = pytest.mark.integration
BODY = as_body(generic_session())


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order(
    services: EmbeddedServices, topic: str, tmp_path: Path, signum: signal.Signals
) -> None:
    kafka = services.addresses.kafka_bootstrap_servers
    with RelayProcess.running(tmp_path, kafka, topic) as relay:
        assert relay.post("/webhooks/plain", BODY).status_code == 200
        assert relay.stop(signum) == 0
        relay.told("relay_stopped")
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", relay.port), timeout=1)
    assert len(records(kafka, topic)) == 1


def test_what_is_under_way_is_answered_before_the_end(
    services: EmbeddedServices, topic: str, tmp_path: Path
) -> None:
    kafka = services.addresses.kafka_bootstrap_servers
    with RelayProcess.running(tmp_path, kafka, topic) as relay:
        eventually(relay.is_ready)
        with socket.create_connection(("127.0.0.1", relay.port), timeout=PATIENCE_S) as wire:
            head = b"POST /webhooks/plain HTTP/1.1\r\nhost: relay\r\ncontent-length: %d\r\n\r\n" % len(BODY)
            wire.sendall(head + BODY[:10])
            assert relay.post("/webhooks/plain", BODY).status_code == 200  # so the first has been begun too
            relay.process.send_signal(signal.SIGTERM)
            relay.told("relay_stopping")
            wire.sendall(BODY[10:])
            assert wire.recv(13) == b"HTTP/1.1 200 "
        assert relay.process.wait(PATIENCE_S) == 0
    assert len(records(kafka, topic)) == 2


def test_sighup_without_a_certificate_ends_nothing(
    services: EmbeddedServices, topic: str, tmp_path: Path
) -> None:
    kafka = services.addresses.kafka_bootstrap_servers
    with RelayProcess.running(tmp_path, kafka, topic) as relay:
        relay.process.send_signal(signal.SIGHUP)
        relay.told("certificate_absent")
        assert relay.post("/webhooks/plain", BODY).status_code == 200
        assert relay.stop() == 0


def test_a_port_that_is_taken_is_said_and_not_shared(
    services: EmbeddedServices, topic: str, tmp_path: Path
) -> None:
    kafka = services.addresses.kafka_bootstrap_servers
    with RelayProcess.running(tmp_path, kafka, topic) as relay:
        second = tmp_path / "second"
        second.mkdir()
        again = RelayProcess(
            second,
            {
                "API_PORT": str(relay.port),
                "METRICS__RELAY_PORT": "0",
                "ASLEEP_API_KEY": "a",
                "KAFKA__BOOTSTRAP_SERVERS": kafka,
            },
        )
        again.client.close()
        assert again.process.wait(PATIENCE_S) == 2
        assert f"port {relay.port}" in (second / "relay.log").read_text()


def test_a_relay_without_a_source_says_what_to_set(tmp_path: Path) -> None:
    relay = RelayProcess(tmp_path, {"METRICS__RELAY_PORT": "0"})
    relay.client.close()
    assert relay.process.wait(PATIENCE_S) == 2
    assert "ASLEEP_API_KEY" in (tmp_path / "relay.log").read_text()


def test_help_says_what_it_does_with_an_example() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "session_relay.cli", "relay", "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "Example" in done.stdout
