"""The sender on a real wire, against an endpoint that answers as it is told."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread

import pytest

from session_relay.simulate.deliveries import Delivery, Lane
from session_relay.simulate.facts import Facts
from session_relay.simulate.ledger import Ledger
from session_relay.simulate.sender import Credentials, Manner, Sender
from session_relay.simulate.spellings import Spelling

pytestmark = pytest.mark.integration

KEYS = {
    "asleep": Credentials(api_key="the-api-key", signing_key="the-signing-key"),
    "generic": Credentials(signing_key="another-key"),
}


@dataclass
class Endpoint:
    """Answers requests one after the other with these; 0 closes the connection without an answer."""

    answers: list[int]
    requests: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    lock: Lock = field(default_factory=Lock)
    url: str = ""

    def take(self, path: str, headers: dict[str, str], body: bytes) -> int:
        with self.lock:
            self.requests.append((path, headers, body))
            return self.answers.pop(0) if self.answers else 200


@contextmanager
def serving(*answers: int) -> Iterator[Endpoint]:
    endpoint = Endpoint(list(answers))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            status = endpoint.take(self.path, headers, body)
            if status == 0:
                self.close_connection = True
                return
            answer = json.dumps({"event_ids": [hashlib.sha256(body).hexdigest()]}).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(answer)))
            if status == 503:
                self.send_header("retry-after", "0")
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Quiet: the test looks at `requests`."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    endpoint.url = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever)
    thread.start()
    try:
        yield endpoint
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def delivery(number: int = 1, source: str = "asleep") -> Delivery:
    facts = Facts(
        source=source,
        type="INFERENCE_COMPLETE",
        user_id="u1",
        session_id="s1",
        sequence=number,
        stages=b"\0",
    )
    return Delivery(facts, Spelling.ASLEEP_DATA if source == "asleep" else Spelling.GENERIC, style=1)


def sent(endpoint: Endpoint, lanes: list[Lane], manner: Manner | None = None) -> tuple[Sender, Ledger]:
    ledger = Ledger()
    sender = Sender(endpoint.url, KEYS, ledger, manner or Manner(connections=2))
    asyncio.run(sender.run(lanes))
    return sender, ledger


def test_a_delivery_is_signed_as_its_source_demands() -> None:
    with serving() as endpoint:
        sent(endpoint, [[(delivery(),)], [(delivery(source="generic"),)]])
    by_path = {path: (headers, body) for path, headers, body in endpoint.requests}
    headers, body = by_path["/webhooks/asleep"]
    assert headers["x-api-key"] == "the-api-key"
    assert headers["x-user-id"] == "u1"
    assert headers["x-signature"] == hmac.new(b"the-signing-key", body, hashlib.sha256).hexdigest()
    headers, body = by_path["/webhooks/generic"]
    assert "x-api-key" not in headers
    assert headers["x-signature"] == hmac.new(b"another-key", body, hashlib.sha256).hexdigest()


def test_what_is_not_acknowledged_is_sent_again_byte_by_byte() -> None:
    with serving(503, 0, 429, 202) as endpoint:
        sender, ledger = sent(endpoint, [[(delivery(),)]])
    assert len({body for _, _, body in endpoint.requests}) == 1
    assert len(endpoint.requests) == 4
    assert (sender.tally.sent, sender.tally.acknowledged, sender.tally.retries) == (1, 1, 3)
    [expectation] = ledger.expected().values()
    assert expectation.certain


def test_a_sender_that_runs_out_of_patience_leaves_the_delivery_unsettled() -> None:
    with serving(*[503] * 1000) as endpoint:
        sender, ledger = sent(endpoint, [[(delivery(),)]], Manner(connections=1, patience_s=0.3))
    assert (sender.tally.acknowledged, sender.tally.unsettled) == (0, 1)
    [expectation] = ledger.expected().values()
    assert not expectation.certain


def test_a_refusal_is_final() -> None:
    with serving(422) as endpoint:
        sender, ledger = sent(endpoint, [[(delivery(),)]])
    assert len(endpoint.requests) == 1
    assert sender.tally.refused == 1
    assert ledger.problems == ["one INFERENCE_COMPLETE of source asleep was refused with status 422"]


def test_a_lane_keeps_its_order_even_when_a_delivery_has_to_be_repeated() -> None:
    lane: Lane = [(delivery(1),), (delivery(2),), (delivery(3),)]
    with serving(200, 503, 503, 200) as endpoint:
        sent(endpoint, [lane], Manner(connections=4))
    order = [json.loads(body)["data"]["inference_seq_num"] for _, _, body in endpoint.requests]
    assert order == [1, 2, 2, 2, 3]


def test_a_rate_spreads_the_deliveries() -> None:
    lanes: list[Lane] = [[(delivery(number),)] for number in range(6)]
    with serving() as endpoint:
        begun_s = time.monotonic()
        sent(endpoint, lanes, Manner(connections=6, rate=20))
    assert time.monotonic() - begun_s >= 5 / 20
    assert len(endpoint.requests) == 6
