"""Hostile requests over bare sockets: each one's answer, and that the next honest event reaches the table."""

import itertools
import re
import select
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.bombs import MIB
from tests.deliveries import API_KEY, SIGNING_KEY
from tests.eventually import eventually
from tests.hostile import CLOSED, LINE, MARK, PLAIN, ROWS, Row, bare, event, request
from tests.relay_process import RelayProcess, records
from tests.sink_rig import SinkRig

pytestmark = pytest.mark.integration
WITHIN_S = 5.0
GROWTH_BYTES = 150 * MIB
"""Less than a bomb of the table would inflate to; several deliveries of the greatest size fit."""


@pytest.fixture(scope="module")
def relay(module_rig: SinkRig, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayProcess]:
    bounds = {"HTTP__HEADER_TIMEOUT_S": "2", "REQUEST_TIMEOUT": "2"}
    bounds["KAFKA__DEAD_LETTERS_TOPIC"] = f"{module_rig.topic}.dlq"
    directory = tmp_path_factory.mktemp("relay")
    module_rig.start()
    with RelayProcess.running(directory, module_rig.kafka, module_rig.topic, **bounds) as running:
        eventually(running.is_ready)
        honest(running, module_rig)
        yield running


@pytest.fixture(scope="module")
def warm_bytes(relay: RelayProcess) -> int:
    """The most that the relay took until it was warm, before anything hostile."""
    return peak_bytes(relay)


def peak_bytes(relay: RelayProcess) -> int:
    """The most memory that it ever took, even if it gave it back (proc(5))."""
    told = Path(f"/proc/{relay.process.pid}/status").read_text("ascii")
    (line,) = (line for line in told.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1_024


numbers = itertools.count()


def honest(relay: RelayProcess, rig: SinkRig) -> None:
    """An ordinary event is acknowledged and reaches the table."""
    session = f"honest-{next(numbers)}"
    assert relay.post("/webhooks/plain", event(session_id=session)).status_code == 200
    eventually(lambda: rig.query(f"SELECT 1 FROM sessions WHERE session_id = '{session}'"))


def status(wire: socket.socket, sent: bytes) -> int:
    """The status that is answered; a server may hang up on what it refuses while it is still sent."""
    told = b""
    with suppress(BrokenPipeError, ConnectionResetError):
        wire.sendall(sent)
    with suppress(ConnectionResetError):
        while b"\r\n\r\n" not in told and (piece := wire.recv(65_536)):
            told += piece
    assert MARK.encode() not in told
    return int(told.split(b" ", 2)[1]) if told.startswith(b"HTTP/1.") else CLOSED


def connected(relay: RelayProcess) -> socket.socket:
    return socket.create_connection(("127.0.0.1", relay.port), timeout=WITHIN_S)


@pytest.mark.parametrize("row", ROWS.values(), ids=ROWS)
def test_each_is_answered_as_it_should_be_and_harms_nobody(
    relay: RelayProcess, module_rig: SinkRig, warm_bytes: int, row: Row
) -> None:
    began_s = time.monotonic()
    with connected(relay) as wire:
        assert status(wire, row.wire) in row.statuses, row.why
    assert time.monotonic() - began_s < WITHIN_S
    honest(relay, module_rig)
    if row.user is not None:
        users = {user for (user,) in module_rig.query("SELECT user_id FROM sessions")}
        assert row.user in users
    assert peak_bytes(relay) < warm_bytes + GROWTH_BYTES


@pytest.mark.parametrize("head", [LINE + b"\r\n", bare(LINE, ("host", "a"), ("content-length", "99"))])
def test_a_byte_at_a_time_is_ended_in_time(relay: RelayProcess, module_rig: SinkRig, head: bytes) -> None:
    began_s = time.monotonic()
    with connected(relay) as wire:
        wire.sendall(head)
        while not select.select([wire], [], [], 0.1)[0]:  # until it says something
            wire.sendall(b"x")
            assert time.monotonic() - began_s < WITHIN_S
    honest(relay, module_rig)


def test_pipelined_requests_are_answered_in_order(relay: RelayProcess, module_rig: SinkRig) -> None:
    ids = [f"pipelined-{number}" for number in range(50)]
    with connected(relay) as wire:
        wire.sendall(b"".join(request(PLAIN, ("x-request-id", one)) for one in ids))
        told = b""
        while told.count(b"HTTP/1.1 200 ") < len(ids) and (piece := wire.recv(65_536)):
            told += piece
    lines = told.decode().split("\r\n")
    given = [line.partition(": ")[2] for line in lines if line.startswith("x-request-id: ")]
    assert given == ids
    honest(relay, module_rig)


def test_a_length_that_lies_smuggles_nothing(relay: RelayProcess, module_rig: SinkRig) -> None:
    """The rest of a body that is longer than it says is no second request of its sender's making."""
    inner = request(event(user_id="smuggled", session_id="smuggled"))
    sent = bare(
        LINE,
        ("host", "relay"),
        ("content-length", str(len(inner))),
        ("transfer-encoding", "chunked"),
        body=b"0\r\n\r\n" + inner,
    )
    with connected(relay) as wire:
        assert status(wire, sent) == 400  # an empty body, by its chunks
        assert wire.recv(65_536) == b""
    honest(relay, module_rig)
    assert module_rig.query("SELECT 1 FROM sessions WHERE user_id = 'smuggled'") == []


def test_it_was_all_told_without_secrets_and_nothing_failed(relay: RelayProcess, module_rig: SinkRig) -> None:
    """Last in its module: reads what all the others left behind."""
    lines = relay.lines()
    assert [line for line in lines if line["level"] in {"error", "critical"}] == []
    assert len(lines) == len(relay.log_text().splitlines())  # nobody broke a line
    refused = {line["reason"] for line in lines if line["event"] == "request"}
    assert refused <= {
        "not_json",
        "not_decodable",
        "unauthenticated",
        "incomplete",
        "too_large",
        "unsupported_media",
        "unsupported_coding",
        "invalid",
        "not_found",
        "wrong_method",
    }
    for secret in (MARK, API_KEY, SIGNING_KEY, "a-plain-user", "forged"):
        assert secret not in relay.log_text()
    assert not [name for name in relay.metrics() if 'status_code="5' in name]
    assert records(module_rig.kafka, f"{module_rig.topic}.dlq") == []  # nothing was parked later
    for record in records(module_rig.kafka, module_rig.topic):
        headers: Any = record.headers()
        trace = dict(headers)["traceparent"]
        assert re.fullmatch(rb"00-(?!0{32})[0-9a-f]{32}-[0-9a-f]{16}-0[01]", trace)
