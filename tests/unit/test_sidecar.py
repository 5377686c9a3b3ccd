"""The sidecar over real HTTP, on a free port."""

import http.client
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import pytest
from prometheus_client.parser import text_string_to_metric_families

from config import metrics
from config.errors import ExitCode, SettingsError
from config.health import LIVE_PATHS, READY_PATHS, Health
from config.sidecar import Sidecar
from tests.eventually import PATIENCE_S, eventually
from tests.frozen_clock import FrozenClock

HOST = "127.0.0.1"
IDLE = 7
"""So many clients that say nothing: one after another they would be waited for longer than a test waits."""


class Rig:
    """One sidecar, its health and its clock; asks it over HTTP."""

    def __init__(self) -> None:
        self.clock = FrozenClock()
        self.health = Health(self.clock, stalled_after_s=60.0)
        self.port = 0

    def sidecar(self, *samplers: Callable[[], None], port: int = 0, interval_s: float = 0.01) -> Sidecar:
        return Sidecar(
            role="sink",
            host=HOST,
            port=port,
            interval_s=interval_s,
            health=self.health,
            clock=self.clock,
            samplers=samplers,
        )

    @contextmanager
    def running(self, *samplers: Callable[[], None]) -> Iterator[None]:
        sidecar = self.sidecar(*samplers)
        self.port = sidecar.start()
        try:
            yield
        finally:
            sidecar.stop()

    def ask(self, path: str, method: str = "GET") -> tuple[int, str, str]:
        """Status, content type and body."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=PATIENCE_S)
        try:
            connection.request(method, path)
            answer = connection.getresponse()
            return answer.status, answer.headers["content-type"], answer.read().decode()
        finally:
            connection.close()

    def figure(self, name: str) -> float:
        """A sample of /metrics."""
        found = [
            sample.value
            for family in text_string_to_metric_families(self.ask("/metrics")[2])
            for sample in family.samples
            if sample.name == name
        ]
        return found[0]


@pytest.fixture
def rig() -> Rig:
    return Rig()


def test_metrics_are_served_in_the_text_format(rig: Rig) -> None:
    with rig.running():
        status, content_type, body = rig.ask("/metrics?name=x")
        rig.clock.pass_s(7)
        uptime_s = rig.figure("app_uptime_seconds")
    assert (status, content_type.split(";")[0]) == (200, "text/plain")
    info = next(family for family in text_string_to_metric_families(body) if family.name == "build_info")
    assert "sink" in {sample.labels["role"] for sample in info.samples}
    assert uptime_s == 7


def test_health_and_its_aliases_are_served(rig: Rig) -> None:
    kafka = rig.health.dependency("kafka", needed=True)
    with rig.running():
        kafka.failed("away")
        assert [rig.ask(path)[0] for path in LIVE_PATHS] == [200] * len(LIVE_PATHS)
        assert [rig.ask(path)[0] for path in READY_PATHS] == [503] * len(READY_PATHS)
        kafka.succeeded()
        assert [rig.ask(path)[0] for path in READY_PATHS] == [200] * len(READY_PATHS)
        rig.clock.pass_s(60)
        assert [rig.ask(path)[0] for path in LIVE_PATHS] == [503] * len(LIVE_PATHS)
        assert rig.ask("/livez")[1] == "application/json"


def test_any_other_path_or_method_is_refused(rig: Rig) -> None:
    with rig.running():
        assert [rig.ask(path)[0] for path in ("/", "/admin", "/metrics/x")] == [404] * 3
        assert rig.ask("/metrics", "POST")[0] == 501


def test_a_sampler_that_fails_stops_neither_its_neighbours_nor_itself(rig: Rig) -> None:
    turns = [0, 0]

    def fails() -> None:
        turns[0] += 1
        raise RuntimeError("broken sampler")

    def works() -> None:
        turns[1] += 1

    with rig.running(fails, works):
        eventually(lambda: min(turns) >= 3)
        assert rig.ask("/livez")[0] == 200


def test_a_sampler_that_hangs_delays_no_scrape_and_its_age_shows(rig: Rig) -> None:
    entered, released = threading.Event(), threading.Event()

    def hangs() -> None:
        entered.set()
        released.wait(2 * PATIENCE_S)  # a scrape that waited for it would be over

    with rig.running(hangs):
        assert entered.wait(PATIENCE_S)
        rig.clock.pass_s(100)
        assert rig.figure("sidecar_samples_age_seconds") == 100
        assert rig.ask("/livez")[0] == 503
        released.set()
        eventually(lambda: rig.figure("sidecar_samples_age_seconds") == 0)


def test_samples_are_taken_at_once_and_not_only_after_the_first_interval(rig: Rig) -> None:
    taken = threading.Event()
    sidecar = rig.sidecar(taken.set, interval_s=3_600)
    sidecar.start()
    assert taken.wait(PATIENCE_S)
    sidecar.stop()


def test_stop_frees_the_port_and_leaves_no_thread(rig: Rig) -> None:
    before = set(threading.enumerate())
    with rig.running():
        rig.ask("/metrics")
        port = rig.port
    eventually(lambda: set(threading.enumerate()) <= before)
    with pytest.raises(ConnectionRefusedError), socket.create_connection((HOST, port), timeout=PATIENCE_S):
        pass
    again = rig.sidecar(port=port)
    assert again.start() == port
    again.stop()


def test_a_port_that_is_taken_is_told_as_a_setting_to_mend(rig: Rig) -> None:
    with socket.create_server((HOST, 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=f"{HOST} port {port}") as error:
            rig.sidecar(port=port).start()
    assert error.value.exit_code is ExitCode.USAGE


def test_stop_before_start_is_harmless(rig: Rig) -> None:
    rig.sidecar().stop()


def test_one_that_hangs_up_is_no_traceback(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    reset_on_close = struct.pack("ii", 1, 0)
    with rig.running():
        others = threading.active_count()
        for _ in range(5):
            with socket.create_connection((HOST, rig.port), timeout=PATIENCE_S) as scraper:
                scraper.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, reset_on_close)
                scraper.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        assert rig.ask("/livez")[0] == 200  # so the five before were accepted, in their order
        eventually(lambda: threading.active_count() == others)
    told = capsys.readouterr()
    assert "Traceback" not in told.out + told.err


def test_a_scrape_that_fails_is_logged(rig: Rig, capsys: pytest.CaptureFixture[str]) -> None:
    with rig.running():
        metrics.SAMPLES_AGE.set_function(lambda: 1 / 0)
        with pytest.raises(http.client.RemoteDisconnected):
            rig.ask("/metrics")
        eventually(lambda: "scrape_failed" in capsys.readouterr().out)
    metrics.SAMPLES_AGE.set_function(lambda: 0)


def test_many_scrapes_at_once_are_all_answered(rig: Rig) -> None:
    statuses: list[int] = []
    with rig.running(), ExitStack() as stack:
        idle = [
            stack.enter_context(socket.create_connection((HOST, rig.port), timeout=PATIENCE_S))
            for _ in range(IDLE)
        ]
        scrapers = [
            threading.Thread(target=lambda: statuses.append(rig.ask("/metrics")[0])) for _ in range(10)
        ]
        for scraper in scrapers:
            scraper.start()
        for scraper in scrapers:
            scraper.join(PATIENCE_S)
        assert len(idle) == IDLE
    assert statuses == [200] * 10


@pytest.mark.parametrize("host", ["::1", "::"])
def test_it_listens_on_ipv6_too(rig: Rig, host: str) -> None:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        pytest.skip("this machine has no IPv6")
    sidecar = Sidecar(
        role="sink", host=host, port=0, interval_s=1, health=rig.health, clock=rig.clock, samplers=()
    )
    port = sidecar.start()
    try:
        with socket.create_connection(("::1", port), timeout=PATIENCE_S) as wire:
            wire.sendall(b"GET /livez HTTP/1.0\r\n\r\n")
            assert wire.recv(12) == b"HTTP/1.0 200"
    finally:
        sidecar.stop()


def test_a_sampler_that_always_fails_lets_the_samples_age(rig: Rig) -> None:
    turns: list[None] = []

    def fail() -> None:
        turns.append(None)
        raise RuntimeError

    with rig.running(fail):
        rig.clock.pass_s(60)
        seen = len(turns)
        eventually(lambda: len(turns) > seen + 2)
        assert metrics.REGISTRY.get_sample_value("sidecar_samples_age_seconds") == 60
