"""What reaches Sentry: error lines as the log has them, and nothing else."""

import gzip
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from config.errors import SettingsError
from config.reports import reporter
from config.sections import AppSettings
from tests.docs.source_tree import ROOT
from tests.eventually import eventually

PROGRAM = """
import sys
import structlog
from config.logs import configure
from config.settings import load

log = structlog.get_logger()
configure(load().app, "sink")
log.info("sink_started", group="a group")
log.warning("job_failed", cause="a cause")
log.error(
    "spool_failed", path="a path", user_id="planted-user", body=b"planted-body", headers={"x": "planted-head"}
)

def broken(planted):
    planted_local = planted + "-planted-local"
    raise RuntimeError("bad" + chr(10) + "DETAIL:  Key (u)=(" + planted + ")")

broken("planted-" + "row")
"""


@contextmanager
def sentry() -> Iterator[tuple[str, list[tuple[dict[str, str], bytes]]]]:
    """A host that takes envelopes, its DSN, and what arrived there."""
    seen: list[tuple[dict[str, str], bytes]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            seen.append((dict(self.headers), body))
            self.send_response(200)
            self.send_header("content-length", "2")
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield f"http://planted-key@127.0.0.1:{server.server_address[1]}/1", seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def run(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def events(seen: list[tuple[dict[str, str], bytes]]) -> list[dict[str, Any]]:
    """The payloads of the items in each envelope (Sentry's developer documentation, Envelopes)."""
    found = []
    for _, body in seen:
        _, *lines = body.splitlines()
        found += [json.loads(line) for line in lines if b'"message"' in line]
    return found


def test_error_lines_are_sent_scrubbed_and_a_crash_is_one() -> None:
    with sentry() as (dsn, seen):
        done = run(SENTRY_DSN=dsn)
        eventually(lambda: len(events(seen)) == 2)
    failed, crashed = sorted(events(seen), key=lambda event: str(event["level"]))
    assert done.returncode == 1
    assert (failed["message"], failed["level"], failed["tags"]) == ("spool_failed", "error", {"role": "sink"})
    assert failed["extra"] == {
        "path": "a path",
        "user_id": "[redacted]",
        "body": "[redacted]",
        "headers": "[redacted]",
    }
    assert (crashed["message"], crashed["level"]) == ("process_crashed", "fatal")
    assert "in broken" in crashed["extra"]["exception"]
    assert "RuntimeError: bad" in crashed["extra"]["exception"]
    whole = b"".join(body for _, body in seen)
    for planted in (b"planted-user", b"planted-body", b"planted-head", b"planted-row", b"row-planted-local"):
        assert planted not in whole
    assert {event["server_name"] for event in events(seen)} == {"session-relay"}
    assert "planted-key" not in done.stderr


def test_nothing_is_sent_and_nothing_imported_without_an_address() -> None:
    assert reporter(AppSettings(), "sink") is None
    program = "import sys, config.logs, config.reports; sys.exit('sentry_sdk' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False).returncode == 0


def test_an_address_that_nobody_listens_at_costs_only_its_reports() -> None:
    done = run(SENTRY_DSN="http://key@127.0.0.1:1/1")
    told = [json.loads(line)["event"] for line in done.stderr.splitlines()]
    ours = ["sink_started", "job_failed", "spool_failed", "process_crashed"]
    assert [event for event in told if event in ours] == ours
    assert len(told) <= len(ours) + 1, told  # one that says why, not one for each try


@pytest.mark.parametrize("dsn", ["nonsense-planted", "http://127.0.0.1/planted-no-key"])
def test_an_address_that_is_none_is_refused_without_being_repeated(dsn: str) -> None:
    with pytest.raises(SettingsError, match="SENTRY_DSN: must be") as refused:
        reporter(AppSettings.model_validate({"sentry_dsn": dsn}), "sink")
    assert "planted" not in str(refused.value)


def test_the_address_without_the_library_says_what_to_install() -> None:
    program = "import sys; sys.modules['sentry_sdk'] = None\n" + PROGRAM
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={"SENTRY_DSN": "http://key@127.0.0.1/1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "SENTRY_DSN: needs the extra `sentry`: pip install 'session-relay[sentry]'" in done.stderr
