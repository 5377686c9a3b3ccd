"""The metrics sidecar: a daemon thread that samples gauges and serves `/metrics` and health.

It reads snapshots that others leave, and never computes inside a role's loop. Sampling and serving
are two threads, so that a sampler that hangs delays no scrape: its age shows instead.
"""

import sys
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from socket import AF_INET, AF_INET6
from threading import Event, Thread
from typing import Final

import structlog
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from config import metrics
from config.clock import Clock
from config.errors import SettingsError
from config.health import Health

log = structlog.get_logger()

Sampler = Callable[[], None]
_JSON: Final = "application/json"
_CLIENT_TIMEOUT_S: Final = 10.0


class Sidecar:
    """Serves one process's metrics and health on a port of its own."""

    def __init__(
        self,
        *,
        role: str,
        host: str,
        port: int,
        interval_s: float,
        health: Health,
        clock: Clock,
        samplers: Sequence[Sampler] = (),
    ) -> None:
        self._role, self._address, self._interval_s = role, (host, port), interval_s
        self._health, self._clock, self._samplers = health, clock, samplers
        self._started_s = self._sampled_s = clock.monotonic_s()
        self._stop = Event()
        self._server: ThreadingHTTPServer | None = None
        self._threads: list[Thread] = []

    def start(self) -> int:
        """Start sampling and serving.

        Returns:
            The port; a free one if 0 was asked for.

        Raises:
            SettingsError: The port is taken or not ours to open.
        """
        metrics.BUILD_INFO.labels(version=version("session-relay"), role=self._role).set(1)
        metrics.APP_UPTIME.set_function(lambda: self._clock.monotonic_s() - self._started_s)
        metrics.SAMPLES_AGE.set_function(lambda: self._clock.monotonic_s() - self._sampled_s)
        try:
            self._server = _Server(self._address, _handler(self._health))
        except OSError as error:
            host, port = self._address
            setting = f"METRICS__{self._role.upper()}_PORT"
            problem = f"METRICS__HOST, {setting}: can't listen on {host} port {port}: {error.strerror}"
            raise SettingsError(problem) from error
        self._run(self._sample_for_ever, "sidecar-sampler")
        self._run(self._server.serve_forever, "sidecar-server")
        port = int(self._server.server_address[1])
        log.info("sidecar_started", host=self._address[0], port=port)
        return port

    def stop(self) -> None:
        """Stop serving and sampling."""
        self._stop.set()
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
        for thread in self._threads:
            thread.join(timeout=1.0)  # a sampler that hangs dies with the process

    def _run(self, target: Callable[[], object], name: str) -> None:
        thread = Thread(target=target, name=name, daemon=True)
        thread.start()
        self._threads.append(thread)

    def _sample_for_ever(self) -> None:
        while True:
            went_well = True
            for sampler in self._samplers:
                try:
                    sampler()
                except Exception:
                    log.exception("sampler_failed")  # the next turn may do better; age tells if none does
                    went_well = False
            if went_well:
                self._sampled_s = self._clock.monotonic_s()
            if self._stop.wait(self._interval_s):
                return


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def __init__(self, address: tuple[str, int], handler: type[BaseHTTPRequestHandler]) -> None:
        self.address_family = AF_INET6 if ":" in address[0] else AF_INET
        super().__init__(address, handler)

    def handle_error(self, *_: object) -> None:
        """Log what a handler raised, where the library would print it; one that hangs up is not news."""
        error = sys.exception()
        if not isinstance(error, ConnectionError):
            log.error("scrape_failed", exc_info=error)


def _handler(health: Health) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _CLIENT_TIMEOUT_S
        server_version, sys_version = "session-relay", ""

        def do_GET(self) -> None:
            path = self.path.partition("?")[0]
            answer = health.route(path)
            if answer is not None:
                self._send(*answer(), _JSON)
            elif path == "/metrics":
                self._send(200, generate_latest(metrics.REGISTRY), CONTENT_TYPE_LATEST)
            else:
                self._send(404, b'{"problem": "only /metrics, /livez and /readyz are served here"}', _JSON)

        def _send(self, status: int, body: bytes, content_type: str) -> None:
            self.send_response(status)
            self.send_header("content-type", content_type)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Stay silent: a scrape is not news."""

    return Handler
