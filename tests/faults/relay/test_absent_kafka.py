"""Kafka is not there when a relay without a spool starts: it says so, refuses, and works once Kafka comes."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from config.embedded.services import EmbeddedServices
from tests.deliveries import as_body, generic_session
from tests.eventually import PATIENCE_S, eventually
from tests.relay_process import RelayProcess, records

pytestmark = pytest.mark.faults
BODY = as_body(generic_session())


def pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError), source, sink:
        while piece := source.recv(65_536):
            sink.sendall(piece)


@contextmanager
def forwarded(listener: socket.socket, target: str) -> Iterator[None]:
    """From here on, what connects to the listener talks to the target."""
    host, _, port = target.rpartition(":")

    def accept() -> None:
        with suppress(OSError):  # closed at the end
            while True:
                near, _ = listener.accept()
                far = socket.create_connection((host, int(port)))
                for ends in ((near, far), (far, near)):
                    threading.Thread(target=pump, args=ends, daemon=True).start()

    listener.listen()
    thread = threading.Thread(target=accept, daemon=True)
    thread.start()
    try:
        yield
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(PATIENCE_S)


def test_a_relay_starts_before_kafka_and_works_once_it_is_there(
    services: EmbeddedServices, topic: str, tmp_path: Path
) -> None:
    kafka = services.addresses.kafka_bootstrap_servers
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))  # bound, not listening: connections are refused
        address = f"127.0.0.1:{listener.getsockname()[1]}"
        with RelayProcess.running(
            tmp_path, address, topic, RELAY__DEADLINE_S="1", RELAY__SPOOL="false"
        ) as relay:
            refused = relay.post("/webhooks/plain", BODY)
            assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
            assert not relay.is_ready()
            assert relay.client.get(f"{relay.url}/livez").status_code == 200
            eventually(lambda: relay.metrics()["kafka_producer_up"] == 0)
            with forwarded(listener, kafka):
                eventually(relay.is_ready)
                assert relay.post("/webhooks/plain", BODY).status_code == 200
            assert relay.stop() == 0
    assert len(records(kafka, topic)) >= 1
