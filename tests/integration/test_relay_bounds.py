"""What a client may take: headers, time, connections; asked over bare sockets."""

import socket
import time
from collections.abc import Iterator

import pytest

from config.embedded.services import EmbeddedServices
from tests.deliveries import as_body, generic_session
from tests.eventually import eventually
from tests.relay_process import RelayProcess, new_topic

pytestmark = pytest.mark.integration
BODY = as_body(generic_session())
START = b"POST /webhooks/plain HTTP/1.1\r\nhost: relay\r\n"


@pytest.fixture(scope="module")
def relay(services: EmbeddedServices, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayProcess]:
    bounds = {"HTTP__HEADER_TIMEOUT_S": "0.5", "REQUEST_TIMEOUT": "0.5", "MAX_CONNECTIONS": "4"}
    kafka = services.addresses.kafka_bootstrap_servers
    directory, topic = tmp_path_factory.mktemp("relay"), new_topic(kafka)
    with RelayProcess.running(directory, kafka, topic, **bounds) as running:
        eventually(running.is_ready)
        yield running


def connected(relay: RelayProcess) -> socket.socket:
    return socket.create_connection(("127.0.0.1", relay.port), timeout=10)


def answer(wire: socket.socket) -> bytes:
    """Everything up to the end of the connection."""
    pieces = []
    try:
        while piece := wire.recv(65_536):
            pieces.append(piece)
    except ConnectionResetError:
        pass  # it hung up on what was still being sent
    return b"".join(pieces)


def test_slow_headers_end_the_connection(relay: RelayProcess) -> None:
    with connected(relay) as wire:
        wire.sendall(START)
        assert answer(wire) == b""


def test_an_idle_connection_ends(relay: RelayProcess) -> None:
    with connected(relay) as wire:
        assert answer(wire) == b""


def test_a_slow_body_is_408(relay: RelayProcess) -> None:
    for announced in (b"content-length: 100", b"transfer-encoding: chunked"):
        with connected(relay) as wire:
            wire.sendall(START + announced + b"\r\n\r\n2\r\n{}\r\n")
            assert answer(wire).startswith(b"HTTP/1.1 408 ")


@pytest.mark.parametrize(
    "headers",
    [
        b"".join(b"x-%d: a\r\n" % number for number in range(500)),
        b"x: " + b"a" * 1_000_000 + b"\r\n",
        b"".join(b"x-%d: %s\r\n" % (number, b"a" * 10_000) for number in range(90)),
    ],
    ids=["many", "long", "both"],
)
def test_a_flood_of_headers_is_refused(relay: RelayProcess, headers: bytes) -> None:
    with connected(relay) as wire:
        try:
            wire.sendall(START + headers + b"\r\n")
        except (BrokenPipeError, ConnectionResetError):
            return  # refused while it was still sending
        assert answer(wire)[:13] in {b"HTTP/1.1 431 ", b""}


def test_more_connections_than_allowed_wait_for_their_turn(relay: RelayProcess) -> None:
    holders = [connected(relay) for _ in range(4)]
    try:
        started_s = time.monotonic()
        with connected(relay) as wire:
            wire.sendall(START + b"content-length: %d\r\n\r\n" % len(BODY) + BODY)
            assert wire.recv(13) == b"HTTP/1.1 200 "
            assert time.monotonic() - started_s > 0.2  # the others had to be ended first
    finally:
        for holder in holders:
            holder.close()


def test_a_client_that_hangs_up_harms_nobody(relay: RelayProcess) -> None:
    for _ in range(20):
        with connected(relay) as wire:
            wire.sendall(START + b"content-length: 1000\r\n\r\nabc")
    assert relay.post("/webhooks/plain", BODY).status_code == 200
    assert [line for line in relay.lines() if line["level"] in {"error", "critical"}] == []
