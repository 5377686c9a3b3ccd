"""One event from HTTP to COMMIT, as a collector sees it; and nothing at all where spans are off."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests.eventually import PATIENCE_S, eventually
from tests.fake_collector import FakeCollector, attributes
from tests.ports import free_port
from tests.relay_process import ROOT, RelayProcess
from tests.sink_rig import SinkRig

pytestmark = pytest.mark.integration

TRACE, CALLER = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
JSON = {"content-type": "application/json"}
SERVER, UNSAMPLED = "POST /webhooks/{source}", f"00-{'1' * 32}-{CALLER}-00"


def body(number: int, **fields: object) -> bytes:
    event = {
        "type": "SESSION_COMPLETE",
        "user_id": f"planted-{number}",
        "session_id": f"planted-night-{number}",
    }
    return json.dumps(event | {"occurred_at": "2026-11-20T06:40:00Z"} | fields).encode()


def test_an_event_is_followed_from_http_to_commit(rig: SinkRig, tmp_path: Path) -> None:
    """And before it: 150 events that a sink finds when it starts, of which a batch names 100 at most."""
    with (
        FakeCollector.serving() as collector,
        RelayProcess.running(tmp_path, rig.kafka, rig.topic, **collector.environment()) as relay,
    ):
        array = b"[" + b",".join(body(100 + number) for number in range(150)) + b"]"
        assert relay.post("/webhooks/plain/batch", array, JSON).status_code == 207
        rig.start(**collector.environment())
        rig.wait_until_done(150)
        given = JSON | {"traceparent": f"00-{TRACE}-{CALLER}-01"}
        assert relay.post("/webhooks/plain", body(1), given).status_code == 200
        sent = eventually(lambda: one(collector, f"send {rig.topic}", TRACE))
        assert sent is not None
        server = eventually(lambda: one(collector, SERVER, TRACE))
        batch = eventually(lambda: linked(collector, f"process {rig.topic}", sent))
        assert server is not None
        assert batch is not None
        assert server.parent_span_id.hex() == CALLER
        assert sent.parent_span_id == server.span_id
        assert (server.kind, sent.kind, batch.kind) == (
            Span.SPAN_KIND_SERVER,
            Span.SPAN_KIND_PRODUCER,
            Span.SPAN_KIND_CONSUMER,
        )
        assert {service for service, _ in collector.spans} == {"session-relay-relay", "session-relay-sink"}
        assert attributes(server)["http.response.status_code"] == 200
        assert attributes(sent)["session_relay.whereabouts"] == "queued"
        told = attributes(batch)
        assert (told["messaging.batch.message_count"], told["session_relay.written"]) == (1, 1)
        assert told["messaging.consumer.group.name"] == rig.topic
        (commit,) = batch.events
        assert commit.name == "commit"
        moments = [server.start_time_unix_nano, sent.start_time_unix_nano, batch.start_time_unix_nano]
        moments += [commit.time_unix_nano, batch.end_time_unix_nano]
        assert moments == sorted(moments)
        assert_what_else_is_told(relay, rig, collector)
        assert b"planted" not in collector.bytes_seen


def one(collector: FakeCollector, name: str, trace: str) -> Span | None:
    return next((span for span in collector.named(name) if span.trace_id.hex() == trace), None)


def linked(collector: FakeCollector, name: str, to: Span) -> Span | None:
    spans = collector.named(name)
    return next((span for span in spans if to.span_id in {link.span_id for link in span.links}), None)


def assert_what_else_is_told(relay: RelayProcess, rig: SinkRig, collector: FakeCollector) -> None:
    """A refusal is; what its caller does not keep is not, and nothing links to it; links are bounded."""
    assert relay.post("/webhooks/plain", body(2, type=7), JSON).status_code == 422
    assert relay.post("/webhooks/plain", body(3), JSON | {"traceparent": UNSAMPLED}).status_code == 200
    assert relay.post("/readyz", b"", JSON).status_code == 405
    batches = f"process {rig.topic}"

    def told(name: str) -> int:
        return sum(int(attributes(span)["messaging.batch.message_count"]) for span in collector.named(name))

    eventually(lambda: (told(batches), told(f"send {rig.topic}")) == (152, 151))

    def statuses() -> list[int]:
        return sorted(int(attributes(span)["http.response.status_code"]) for span in collector.named(SERVER))

    eventually(lambda: statuses() == [200, 207, 422])
    links = [link.trace_id for span in collector.named(batches) for link in span.links]
    assert b"\x11" * 16 not in {*links, *(span.trace_id for _, span in collector.spans)}
    assert all(len(span.links) <= 100 for span in collector.named(batches))
    assert all(span.status.code == Status.STATUS_CODE_UNSET for _, span in collector.spans)


def test_a_collector_that_is_away_costs_nothing_but_its_spans(rig: SinkRig, tmp_path: Path) -> None:
    """The roles work, end in time, and tell of it without flooding their logs."""
    away = {"APP__TRACES": "true", "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{free_port()}"}
    soon = {"OTEL_BSP_SCHEDULE_DELAY": "50", "OTEL_EXPORTER_OTLP_TIMEOUT": "1"}
    with RelayProcess.running(tmp_path, rig.kafka, rig.topic, **away, **soon) as relay:
        sink = rig.start(**away, **soon)
        for number in range(20):
            assert relay.post("/webhooks/plain", body(number), JSON).status_code == 200
        rig.wait_until_done(20)
        assert relay.stop() == 0
        sink.terminate()
        assert sink.wait(PATIENCE_S) == 0
        texts = [line["event"] for line in relay.lines() if "export" in line["event"].lower()]
        assert len(texts) in {1, 2, 3}, texts


def test_where_spans_are_off_nothing_is_imported_for_them() -> None:
    """redis-py imports OpenTelemetry's metrics wherever they are installed; that is none of ours."""
    program = (
        "import sys, producers.relay, consumers.sink\n"
        "from config.sections import AppSettings\n"
        "from config.tracing import spans_of\n"
        "assert spans_of(AppSettings(), 'relay') is None\n"
        "ours = {'config.spans', 'producers.tracing', 'consumers.tracing'}\n"
        "theirs = {'opentelemetry.exporter', 'opentelemetry.sdk.trace', 'sentry_sdk'}\n"
        "assert not (ours | theirs) & sys.modules.keys()"
    )
    subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=True)


def test_the_switch_without_the_library_says_what_to_install() -> None:
    program = (
        "import sys\n"
        "sys.modules['opentelemetry.exporter'] = None\n"
        "from config.sections import AppSettings\n"
        "from config.tracing import spans_of\n"
        "spans_of(AppSettings(traces=True), 'relay')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (
        "SettingsError: APP__TRACES: needs the extra `otel`: pip install 'session-relay[otel]'" in done.stderr
    )
