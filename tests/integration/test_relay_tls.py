"""TLS by settings: what is served, what is refused at the start, and a certificate that is renewed."""

import signal
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from config.embedded.services import EmbeddedServices
from tests.certificates import PASSWORD, issue
from tests.deliveries import as_body, generic_session
from tests.eventually import PATIENCE_S, eventually
from tests.hostile import LINE, PLAIN, bare, request
from tests.relay_process import RelayProcess, records

pytestmark = pytest.mark.integration
BODY = as_body(generic_session())
CIPHERS = {"no password": "aes-256-cbc", "wrong password": "aes-256-cbc"}


def settings(cert: Path, key: Path) -> dict[str, str]:
    return {"HTTP__TLS_CERT": str(cert), "HTTP__TLS_KEY": str(key)}


@contextmanager
def connected(relay: RelayProcess, trusted: Path) -> Iterator[ssl.SSLSocket]:
    """A connection that trusts this certificate alone."""
    context = ssl.create_default_context(cafile=str(trusted))
    with (
        socket.create_connection(("127.0.0.1", relay.port), timeout=PATIENCE_S) as plain,
        context.wrap_socket(plain, server_hostname="127.0.0.1") as wire,
    ):
        yield wire


def posts(wire: ssl.SSLSocket) -> bool:
    """Whether an event is taken over this connection; or else it ended without a word."""
    wire.sendall(request(PLAIN))
    told = b""
    while not told.endswith(b"]}") and (piece := wire.recv(65_536)):
        told += piece
    assert told.startswith(b"HTTP/1.1 200 ") or told == b""
    return told != b""


def name_of(wire: ssl.SSLSocket) -> str:
    subject = (wire.getpeercert() or {})["subject"]
    return str(subject)


def test_a_key_with_a_password_serves_tls_only(
    services: EmbeddedServices, topic: str, tmp_path: Path
) -> None:
    cert, key = issue(tmp_path, "first", "aes-256-cbc")
    secrets = tmp_path / "secrets"
    secrets.mkdir()
    (secrets / "HTTP__TLS_KEY_PASSWORD").write_text(PASSWORD)
    told = {**settings(cert, key), "SECRETS_DIR": str(secrets)}
    kafka = services.addresses.kafka_bootstrap_servers
    with RelayProcess.running(tmp_path, kafka, topic, **told) as relay:
        with connected(relay, cert) as wire:
            assert posts(wire)
            assert wire.version() == "TLSv1.3"
        with socket.create_connection(("127.0.0.1", relay.port), timeout=PATIENCE_S) as plain:
            plain.sendall(request(PLAIN))
            assert not plain.recv(65_536).startswith(b"HTTP")
        assert PASSWORD not in relay.log_text()


def test_a_certificate_is_renewed_while_requests_are_under_way(
    services: EmbeddedServices, topic: str, tmp_path: Path
) -> None:
    old, key = issue(tmp_path, "first")
    kafka = services.addresses.kafka_bootstrap_servers
    with RelayProcess.running(tmp_path, kafka, topic, **settings(old, key)) as relay:
        kept = old.rename(tmp_path / "old.pem")
        old.write_bytes(kept.read_bytes())
        with connected(relay, kept) as under_way:
            half = len(BODY) // 2
            head = bare(LINE, ("host", "a"), ("content-length", str(len(BODY))))
            under_way.sendall(head + BODY[:half])
            new, _ = issue(tmp_path, "second")
            relay.process.send_signal(signal.SIGHUP)
            relay.told("certificate_renewed")
            with connected(relay, new) as wire:
                assert ("second" in name_of(wire), posts(wire)) == (True, True)
            under_way.sendall(BODY[half:])
            assert ("first" in name_of(under_way), under_way.recv(13)) == (True, b"HTTP/1.1 200 ")
        assert relay.stop() == 0
    assert len(records(kafka, topic)) == 2


def test_senders_hardly_notice_renewals(services: EmbeddedServices, topic: str, tmp_path: Path) -> None:
    cert, key = issue(tmp_path, "first")
    kafka = services.addresses.kafka_bootstrap_servers
    with RelayProcess.running(tmp_path, kafka, topic, **settings(cert, key)) as relay:
        taken: list[bool] = []
        cut: list[OSError | None] = []
        enough = threading.Event()

        def send() -> None:
            while not enough.is_set():
                try:
                    with connected(relay, cert) as wire:
                        if posts(wire):
                            taken.append(True)
                        else:
                            cut.append(None)
                except (ConnectionError, ssl.SSLError) as error:
                    cut.append(error)

        sender = threading.Thread(target=send)
        sender.start()
        try:
            for number in range(5):
                eventually(partial(sent_more_than, taken, len(taken) + 5))
                relay.process.send_signal(signal.SIGHUP)
                eventually(partial(renewed, relay, number + 1))
        finally:
            enough.set()
            sender.join()
        assert len(cut) <= 5, cut  # one sender has one new connection at a time
        assert relay.process.poll() is None


def sent_more_than(taken: list[bool], count: int) -> bool:
    return len(taken) > count


def renewed(relay: RelayProcess, times: int) -> bool:
    return [line["event"] for line in relay.lines()].count("certificate_renewed") == times


def test_a_bad_renewal_changes_nothing(services: EmbeddedServices, topic: str, tmp_path: Path) -> None:
    cert, key = issue(tmp_path, "first")
    kept = tmp_path / "kept.pem"
    kept.write_bytes(cert.read_bytes())
    kafka = services.addresses.kafka_bootstrap_servers
    with RelayProcess.running(tmp_path, kafka, topic, **settings(cert, key)) as relay:
        cert.write_text("no certificate")
        relay.process.send_signal(signal.SIGHUP)
        assert "HTTP__TLS_CERT" in relay.told("certificate_refused")["problem"]
        with connected(relay, kept) as wire:
            assert posts(wire)


@pytest.mark.parametrize("what", ["no file", "another key", "key alone", *CIPHERS])
def test_what_cannot_be_used_is_said_at_the_start(tmp_path: Path, what: str) -> None:
    cert, key = issue(tmp_path, "first", CIPHERS.get(what))
    told = settings(cert, key)
    if what == "no file":
        cert.unlink()
    elif what == "another key":
        other = tmp_path / "other"
        other.mkdir()
        issue(other, "other")[1].replace(key)
    elif what == "wrong password":
        told["HTTP__TLS_KEY_PASSWORD"] = "a-wrong-password"
    elif what == "key alone":
        del told["HTTP__TLS_CERT"]
    relay = RelayProcess(
        tmp_path, {"METRICS__RELAY_PORT": "0", "API_PORT": "0", "ASLEEP_API_KEY": "a", **told}
    )
    relay.client.close()
    try:
        assert relay.process.wait(PATIENCE_S) == 2
    except subprocess.TimeoutExpired:
        relay.end()
        raise
    assert "TLS" in relay.log_text()
    assert "wrong-password" not in relay.log_text()
