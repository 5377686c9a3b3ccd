"""A slice of `make fuzz`, and that the fuzzer can find something."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from config.embedded.services import EmbeddedServices
from tests.eventually import eventually
from tests.fuzz.__main__ import BOUNDS, fuzz, resident_mb, tell
from tests.fuzz.session import Run
from tests.fuzz.trials import trial
from tests.relay_process import RelayProcess

pytestmark = pytest.mark.integration
SEED, REQUESTS = 20_261_121, 2_000


def test_a_slice_finds_nothing(
    services: EmbeddedServices, topic: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kafka = services.addresses.kafka_bootstrap_servers
    with RelayProcess.running(tmp_path, kafka, topic, **BOUNDS) as relay:
        eventually(relay.is_ready)
        run, start_mb = asyncio.run(fuzz(relay, SEED, REQUESTS, 8))
        found = tell(run, SEED, relay)
        assert (found, run.answered) == (False, REQUESTS), capsys.readouterr().err
        assert resident_mb(relay) - start_mb < 50


class _Failing(BaseHTTPRequestHandler):
    """Answers everything with a mistake of its own."""

    def do_POST(self) -> None:
        self.send_error(500)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def failing() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Failing)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_server_that_fails_is_found() -> None:
    with failing() as port:
        run = Run(port, SEED)
        asyncio.run(run.send(range(50), 2))
    assert run.answered == 50
    assert run.server_errors > 20
    assert all(finding.status not in finding.trial.statuses for finding in run.findings)


def test_a_number_is_always_the_same_request() -> None:
    assert [trial(SEED, number) for number in range(200)] == [trial(SEED, number) for number in range(200)]
    kinds = {trial(SEED, number).kind for number in range(1_000)}
    assert len(kinds) > 20
