"""Planted values of a person and planted secrets: on the whole way of events they reach no log, no metric."""

import json
from pathlib import Path

import httpx
import pytest

from tests.eventually import eventually
from tests.relay_process import RelayProcess
from tests.sink_rig import SinkRig

pytestmark = pytest.mark.integration

KEY, TOKEN, PASSWORD = "a-planted-key-0123456789", "a-planted-token-0123456789", "a-planted-password"
PLANTED = {
    "user": "planted-user",
    "session": "planted-night",
    "detail": "planted-detail",
    "mail": "x@planted.example",
}
SOURCES = {
    "keyed": {"vendor": "generic", "schemes": [{"scheme": "api_key", "secrets": [KEY]}]},
    "watches": {"vendor": "garmin", "schemes": [{"scheme": "url_token", "secrets": [TOKEN]}]},
}


def body(**fields: object) -> bytes:
    event = {
        "type": "SESSION_COMPLETE",
        "user_id": PLANTED["user"],
        "session_id": PLANTED["session"],
        "occurred_at": "2026-11-20T06:40:00Z",
        "mail": PLANTED["mail"],
    }
    return json.dumps(event | fields).encode()


def test_what_was_planted_is_stored_and_nowhere_told(rig: SinkRig, tmp_path: Path) -> None:
    """Method: each line is logged, also of what is well; good events, refused ones, bad items, poison."""
    headers = {"content-type": "application/json"}
    good = headers | {"x-api-key": KEY}
    debug = {"APP__LOG_LEVEL": "DEBUG", "SOURCES": json.dumps(SOURCES)}
    registry = f"http://{PASSWORD}@127.0.0.1"
    with RelayProcess.running(tmp_path, rig.kafka, rig.topic, **debug) as relay:
        sink = rig.start(APP__LOG_LEVEL="DEBUG", REDIS_URL=f"redis://:{PASSWORD}@127.0.0.1:1/0")
        assert relay.post("/webhooks/keyed", body(), good).status_code == 200
        assert relay.post("/webhooks/keyed", body(epoch_seconds=PLANTED["detail"]), good).status_code == 422
        assert relay.post("/webhooks/keyed", body(), headers | {"x-api-key": f"{KEY}x"}).status_code == 401
        assert relay.post(f"/webhooks/watches/{TOKEN}x", body(), headers).status_code == 401
        assert relay.post(f"/{PLANTED['user']}", body(), good | {"referer": registry}).status_code == 404
        items = {"sleeps": [{"userId": PLANTED["user"], "summaryId": 7}]}
        assert (
            relay.post(f"/webhooks/watches/{TOKEN}", json.dumps(items).encode(), headers).status_code == 422
        )
        rig.publish_bytes([(PLANTED["user"].encode(), PLANTED["detail"].encode())])
        rig.wait_until_done(2)
        eventually(lambda: rig.told(sink, "record_parked"))
        (line,) = rig.told(sink, "sidecar_started")
        ports = (relay.sidecar_port, line["port"])
        told = [
            httpx.get(f"http://127.0.0.1:{port}{path}").text
            for port in ports
            for path in ("/metrics", "/readyz")
        ]
        told += [relay.log_text(), rig.log_of(sink)]
    assert rig.query("SELECT user_id FROM sessions") == [(PLANTED["user"],)]
    assert {line["status"] for line in relay.lines() if line["event"] == "request"} == {200, 401, 404, 422}
    found = [
        secret for secret in (KEY, TOKEN, PASSWORD, *PLANTED.values()) for text in told if secret in text
    ]
    assert found == []
