"""Every verification scheme on a relay's own port: what passes, and that all else is one and the same 401."""

import json
import socket
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from config.clock import SystemClock
from config.embedded.services import EmbeddedServices
from tests.deliveries import USER, as_body, generic_session
from tests.eventually import PATIENCE_S, eventually
from tests.relay_process import RelayProcess, new_topic
from tests.signed_requests import CASES, Request

pytestmark = pytest.mark.integration
NAMES = {name: name.replace(" ", "-") for name in CASES}
TOKEN = CASES["url_token"].secrets[0]
SOURCES = {
    NAMES[name]: {"vendor": "generic", "schemes": [{**case.settings, "secrets": list(case.secrets)}]}
    for name, case in CASES.items()
}
BODY = as_body(generic_session())
REFUSED = {
    "type": "about:blank",
    "title": "Unauthorized",
    "status": 401,
    "detail": "The delivery does not prove where it comes from.",
}


@pytest.fixture(scope="module")
def relay(services: EmbeddedServices, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayProcess]:
    kafka = services.addresses.kafka_bootstrap_servers
    directory = tmp_path_factory.mktemp("relay")
    sources = json.dumps(SOURCES)
    with RelayProcess.running(directory, kafka, new_topic(kafka), SOURCES=sources) as running:
        eventually(running.is_ready)
        yield running


def sent(relay: RelayProcess, name: str, request: Request) -> httpx.Response:
    path = f"/webhooks/{NAMES[name]}" + ("" if request.token is None else f"/{request.token}")
    headers = [(key.encode(), value.encode()) for key, value in request.headers]
    return relay.client.post(relay.url + path, content=request.body, headers=headers)


def now_signed(name: str, late_s: int = 0, secret: str | None = None) -> Request:
    case = CASES[name]
    return case.sign(secret or case.secrets[0], BODY, SystemClock().now_us() - late_s * 1_000_000)


def assert_refused(answer: httpx.Response) -> None:
    told: dict[str, Any] = answer.json()
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")
    assert told.pop("request_id") == answer.headers["x-request-id"]
    assert told == REFUSED


@pytest.mark.parametrize("name", CASES)
def test_each_secret_passes(relay: RelayProcess, name: str) -> None:
    for secret in CASES[name].secrets:
        assert sent(relay, name, now_signed(name, secret=secret)).status_code == 200


@pytest.mark.parametrize("name", CASES)
def test_every_malformed_proof_is_401_with_one_body(relay: RelayProcess, name: str) -> None:
    case, good = CASES[name], now_signed(name)
    wrong = [now_signed(name, secret="YW5vdGhlci1zZWNyZXQ="), Request(body=BODY), Request(body=b"\xff")]
    if case.is_timed:
        wrong += [now_signed(name, late_s=400), now_signed(name, late_s=-400)]
    for key, value in good.headers:
        others = (
            "",
            "ß",
            "😴",
            ",",
            "=",
            "-1",
            "1.5",
            "0x1",
            "\u0661",
            "9" * 5_000,
            value[:-1],
            f"{value} x",
        )
        wrong += [good.with_header(key), good.with_header(key, value, value)]
        wrong += [good.with_header(key, other) for other in others]
    for other in case.malformed:
        if case.header and other.strip() == other:  # white space around a value is no part of it (RFC 9110)
            wrong.append(good.with_header(case.header, other))
    for request in wrong:
        assert_refused(sent(relay, name, request))


@pytest.mark.parametrize(
    "token",
    [
        "",
        "wrong",
        TOKEN[:-1],
        f"{TOKEN}x",
        f"{TOKEN}%00",
        f"{TOKEN}%20",
        TOKEN.upper(),
        "%FF%FE",
        "%C3%9F",
        "%zz",
        "%",
        "x" * 8_000,
        "batch",
    ],
)
def test_a_wrong_token_is_401_like_a_missing_one(relay: RelayProcess, token: str) -> None:
    assert_refused(sent(relay, "url_token", Request(body=BODY)))
    assert _raw_post(relay, f"/webhooks/url_token/{token}") == 401


def _raw_post(relay: RelayProcess, path: str) -> int:
    """The status of a request whose path no client has tidied up."""
    head = f"POST {path} HTTP/1.1\r\nhost: relay\r\nconnection: close\r\ncontent-length: {len(BODY)}\r\n\r\n"
    with socket.create_connection(("127.0.0.1", relay.port), timeout=PATIENCE_S) as wire:
        wire.sendall(head.encode() + BODY)
        return int(wire.makefile("rb").readline().split()[1])


def test_a_token_may_come_escaped_and_with_a_query(relay: RelayProcess) -> None:
    escaped = f"%{ord(TOKEN[0]):02x}{TOKEN[1:]}"
    assert _raw_post(relay, f"/webhooks/url_token/{escaped}") == 200
    assert _raw_post(relay, f"/webhooks/url_token/{TOKEN}?a=b") == 200


@pytest.mark.parametrize(
    "path",
    [
        f"/webhooks/api_key/{TOKEN}",
        f"/webhooks/nobody/{TOKEN}",
        f"/webhooks/url_token/{TOKEN}/x",
        f"/{TOKEN}",
    ],
)
def test_a_token_where_none_belongs_is_404(relay: RelayProcess, path: str) -> None:
    assert _raw_post(relay, path) == 404


def test_another_method_is_405_whatever_the_token(relay: RelayProcess) -> None:
    for token in (TOKEN, "wrong"):
        assert relay.client.put(f"{relay.url}/webhooks/url_token/{token}").status_code == 405


def test_a_token_is_in_no_log_no_metric_and_no_answer(relay: RelayProcess) -> None:
    answers = [
        sent(relay, "url_token", Request(body=b"not json", token=TOKEN)),
        sent(relay, "url_token", Request(body=BODY, token=f"{TOKEN}-wrong")),
        relay.client.get(f"{relay.url}/webhooks/url_token/{TOKEN}"),
        relay.client.post(f"{relay.url}/webhooks/api_key/{TOKEN}", headers={"x-request-id": "last-of-them"}),
    ]
    assert [answer.status_code for answer in answers] == [400, 401, 405, 404]
    relay.told("request", request_id="last-of-them")
    told = relay.log_text() + "".join(relay.metrics()) + "".join(answer.text for answer in answers)
    assert '"route": "/webhooks/{source}"' in told
    assert TOKEN not in told
    assert USER not in told
