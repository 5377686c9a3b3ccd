"""The relay under load, side by side with its own listener that answers at once."""

import json
import signal
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
        self._usage, self.url, self._script = Usage(pid), url, script
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

    def send(self, script: Path, seconds: int) -> wrk.Load:
        """Send by another script."""
        return self._counted(wrk.run(script, self.url, seconds))

    @contextmanager
    def under_load(self, script: Path, most_s: int, told: list[wrk.Load]) -> Iterator[None]:
        """Send by another script until the block ends; what was counted is then in `told`."""
        sending = wrk.start(script, self.url, most_s)
        try:
            yield
        finally:
            sending.send_signal(signal.SIGINT)
            told.append(self._counted(wrk.finish(sending, most_s)))

    def _send(self, seconds: int) -> wrk.Load:
        return self.send(self._script, seconds)

    def _counted(self, load: wrk.Load) -> wrk.Load:
        self.answers += load.answers - load.refused
        self.refused += load.refused
        self.broken += load.broken
        return load


@contextmanager
def no_content(stand: Stand, script: Path) -> Iterator[Server]:
    """The limit: the same listener, answering 204 at once, in a process that ends with this one."""
    port = free_port()
    child = spawn(
        Launch(
            name="no-content",
            args=[sys.executable, "-m", "benchmarks.no_content", str(port)],
            cwd=_ROOT,
            log=stand.directory / "no-content.log",
        )
    )
    try:
        wait_listening(child, port)
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
    port = free_port()
    proofs = {"api_key": credentials.api_key, "hmac_sha256": credentials.signing_key}
    schemes = [{"scheme": scheme, "secrets": [secret]} for scheme, secret in proofs.items()]
    sources = json.dumps({ASLEEP: {"vendor": ASLEEP, "schemes": schemes}})
    ready_url = f"http://127.0.0.1:{port}/readyz"
    with stand.role("relay", place, ready_url, API_PORT=str(port), SOURCES=sources, **environment) as role:
        role.wait_ready()
        yield Server(role.pid, _url(port), script)


def _url(port: int) -> str:
    return f"http://127.0.0.1:{port}/webhooks/{ASLEEP}"


def free_port() -> int:
    """A port of 127.0.0.1 that nobody had a moment ago."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def wait_listening(child: Child, port: int) -> None:
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
