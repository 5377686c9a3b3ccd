"""The relay under load, side by side with its own listener that answers at once."""

import json
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks import wrk
from benchmarks.rounds import Figures
from benchmarks.stand import Place, Stand, Usage
from config.embedded.processes import Child, Launch, identify, kill, spawn
from session_relay.simulate.facts import ASLEEP
from session_relay.simulate.sender import Credentials

WARM_UP_S: Final = 10
"""A new broker takes half of what it takes ten seconds later: its compiler has to see the load first."""
ROUND_S: Final = 5
_ROOT: Final = Path(__file__).resolve().parents[1]
_LISTENS_WITHIN_S: Final = 20.0


class Server:
    """A server to send to, with what it answered so far, warm-ups included."""

    def __init__(self, pid: int, url: str, script: Path) -> None:
        self._usage, self._url, self._script = Usage(pid), url, script
        self.answers = self.refused = self.broken = 0

    def warm_up(self) -> None:
        """Send for ten seconds, unmeasured."""
        self._send(WARM_UP_S)

    def measure(self) -> Figures:
        """Send for five seconds; latencies are of single requests, `cpu_cores` of the server alone."""
        begun_s, cpu_s = time.perf_counter(), self._usage.cpu_s()
        load = self._send(ROUND_S)
        cores = (self._usage.cpu_s() - cpu_s) / (time.perf_counter() - begun_s)
        return {
            "rate": load.rate,
            "p50_ms": load.p50_ms,
            "p99_ms": load.p99_ms,
            "cpu_cores": cores,
            "peak_mib": self._usage.peak_mib(),
        }

    def _send(self, seconds: int) -> wrk.Load:
        load = wrk.run(self._script, self._url, seconds)
        self.answers += load.answers - load.refused
        self.refused += load.refused
        self.broken += load.broken
        return load


@contextmanager
def no_content(stand: Stand, script: Path) -> Iterator[Server]:
    """The limit: the same listener, answering 204 at once, in a process that ends with this one."""
    port = _free_port()
    child = spawn(
        Launch(
            name="no-content",
            args=[sys.executable, "-m", "benchmarks.no_content", str(port)],
            cwd=_ROOT,
            log=stand.directory / "no-content.log",
        )
    )
    try:
        _wait_listening(child, port)
        yield Server(child.process.pid, _url(port), script)
    finally:
        if identity := identify(child.process.pid):
            kill(identity)
        child.process.wait()


@contextmanager
def relay(
    stand: Stand, place: Place, credentials: Credentials, script: Path, **environment: str
) -> Iterator[Server]:
    """The relay itself, as its command starts it, with both proofs required."""
    port = _free_port()
    proofs = {"api_key": credentials.api_key, "hmac_sha256": credentials.signing_key}
    schemes = [{"scheme": scheme, "secrets": [secret]} for scheme, secret in proofs.items()]
    sources = json.dumps({ASLEEP: {"vendor": ASLEEP, "schemes": schemes}})
    ready_url = f"http://127.0.0.1:{port}/readyz"
    with stand.role("relay", place, ready_url, API_PORT=str(port), SOURCES=sources, **environment) as role:
        role.wait_ready()
        yield Server(role.pid, _url(port), script)


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}/webhooks/{ASLEEP}"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _wait_listening(child: Child, port: int) -> None:
    """Wait for the port.

    Raises:
        Unavailable: The process ended instead, or takes too long.
    """
    deadline_s = time.monotonic() + _LISTENS_WITHIN_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
        except OSError:
            if child.process.poll() is not None or time.monotonic() > deadline_s:
                raise child.failure() from None
            time.sleep(0.05)
        else:
            return
