"""Health by role: each dependency slow, frozen and gone; who asks is answered at once, and with the truth."""

import statistics
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from config.embedded.services import EmbeddedServices
from config.health import LIVE_PATHS, READY_PATHS
from tests.backfill_process import BackfillProcess
from tests.deliveries import as_body, generic_session
from tests.events import made
from tests.eventually import PATIENCE_S, eventually
from tests.fake_asleep import Answer, FakeAsleep
from tests.integration.test_sink_metrics import base_url
from tests.kafka_wire import KafkaWire
from tests.proxy import Proxy
from tests.relay_process import RelayProcess
from tests.sink_rig import SinkRig

pytestmark = [pytest.mark.integration, pytest.mark.faults]

AT_ONCE_S = 1.0
"""The promise. The median is held to it: on a busy machine a single answer may wait for its turn."""
SLOW_S = 0.04
BODY = as_body(generic_session())


class Asker:
    """Asks every alias of a process again and again, as a supervisor does."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.took_s: list[float] = []
        self.statuses: Counter[tuple[str, int]] = Counter()

    @contextmanager
    def asking(self) -> Iterator["Asker"]:
        stop = threading.Event()
        thread = threading.Thread(target=self._ask, args=(stop,))
        thread.start()
        try:
            yield self
        finally:
            stop.set()
            thread.join()
        assert statistics.median(self.took_s) < AT_ONCE_S
        assert {path for path, _ in self.statuses} == {*LIVE_PATHS, *READY_PATHS}
        assert {status for path, status in self.statuses if path in LIVE_PATHS} == {200}

    def _ask(self, stop: threading.Event) -> None:
        with httpx.Client(base_url=self.url, timeout=PATIENCE_S, trust_env=False) as client:
            while not stop.wait(0.1):
                for path in (*LIVE_PATHS, *READY_PATHS):
                    began_s = time.monotonic()
                    self.statuses[path, client.get(path).status_code] += 1
                    self.took_s.append(time.monotonic() - began_s)

    def ready(self) -> tuple[int, dict[str, Any]]:
        answer = httpx.get(f"{self.url}/readyz", timeout=PATIENCE_S, trust_env=False)
        return answer.status_code, answer.json()["dependencies"]

    def wait_for(self, status: int, name: str, *, up: bool, problem: str = "") -> dict[str, Any]:
        """Wait for a status together with the state of one dependency; returns that one's row."""
        seen: list[Any] = []

        def as_wanted() -> dict[str, Any] | None:
            told, rows = self.ready()
            seen[:] = [told, rows]
            row: dict[str, Any] | None = rows.get(name)
            if row is None:  # a role that has only just begun
                return None
            good = told == status and row["up"] is up and (up or problem in row["problem"])
            return row if good else None

        try:
            row = eventually(as_wanted, every_s=0.1)
        except AssertionError as late:
            raise AssertionError(f"{status}, {name} up={up} {problem}; but {seen}") from late
        assert row is not None
        assert row["failures_in_a_row"] == 0 or not up
        return row


class Wire:
    """The way to Kafka, which may break for good."""

    def __init__(self, kafka: str, stack: ExitStack) -> None:
        self._way = stack.enter_context(ExitStack())
        self._wire = self._way.enter_context(KafkaWire(kafka))
        self.bootstrap_servers = self._wire.bootstrap_servers
        self.proxy = self._wire.proxies[0]

    def vanish(self) -> None:
        """Cut it, and let nobody connect any more."""
        self._way.close()


@pytest.fixture
def wire(services: EmbeddedServices) -> Iterator[Wire]:
    with ExitStack() as stack:
        yield Wire(services.addresses.kafka_bootstrap_servers, stack)


def test_a_sink_can_work_without_postgres_for_a_while_and_not_without_kafka(rig: SinkRig, wire: Wire) -> None:
    told = conninfo_to_dict(rig.database_url)
    with ExitStack() as stack:
        postgres = stack.enter_context(Proxy(str(told["host"]), int(str(told["port"]))))
        sink = rig.start(
            KAFKA__BOOTSTRAP_SERVERS=wire.bootstrap_servers,
            DATABASE_URL=make_conninfo(rig.database_url, host="127.0.0.1", port=postgres.port),
            DB__POOL_TIMEOUT_S="0.5",
            DB__LOCK_TIMEOUT_S="0.5",
        )
        asker = stack.enter_context(Asker(base_url(rig, sink)).asking())
        rig.publish([made(session="s-0")])
        rig.wait_until_done(1)
        asker.wait_for(200, "postgres", up=True)
        asker.wait_for(200, "kafka", up=True)

        for proxy in (postgres, wire.proxy):  # slow is not down
            proxy.delay_s = SLOW_S
        rig.publish([made(session="s-1")])
        rig.wait_until_done(2)
        asker.wait_for(200, "postgres", up=True)
        asker.wait_for(200, "kafka", up=True)
        for proxy in (postgres, wire.proxy):
            proxy.heal()

        postgres.silence()
        rig.publish([made(session="s-2")])
        asker.wait_for(200, "postgres", up=False)  # its statement, or the pool's look at a connection
        postgres.reset()
        postgres.heal()
        rig.wait_until_done(3)
        asker.wait_for(200, "postgres", up=True)

        wire.proxy.silence()
        row = asker.wait_for(503, "kafka", up=False, problem="no broker answers")
        assert row["last_success_s_ago"] > 0
        wire.proxy.heal()
        asker.wait_for(200, "kafka", up=True)
        wire.vanish()
        asker.wait_for(503, "kafka", up=False, problem="no broker is connected")


def test_a_relay_needs_kafka_or_its_spool_and_says_which_is_left(
    services: EmbeddedServices, topic: str, tmp_path: Path, wire: Wire
) -> None:
    at = httpx.URL(services.addresses.redis_url)
    with ExitStack() as stack:
        redis = stack.enter_context(Proxy(at.host, at.port or 6379))
        relay = stack.enter_context(
            RelayProcess.running(
                tmp_path,
                wire.bootstrap_servers,
                topic,
                KAFKA__DEAD_LETTERS_TOPIC=f"{topic}.dlq",
                REDIS_URL=f"redis://127.0.0.1:{redis.port}/0",
                RELAY__LIMIT_PER_SOURCE="1000000/day",
                RELAY__SPOOL_AFTER_S="0.5",
                RELAY__SPOOL_MAX_BYTES="8000",
            )
        )
        sidecar = stack.enter_context(Asker(f"http://127.0.0.1:{relay.sidecar_port}").asking())
        public = stack.enter_context(Asker(relay.url).asking())
        for name in ("kafka", "spool", "redis", "dead_letters"):
            assert public.wait_for(200, name, up=True)["needed"] is (name == "kafka")

        for proxy in (redis, wire.proxy):  # slow is not down
            proxy.delay_s = SLOW_S
        assert relay.post("/webhooks/plain", BODY).status_code in {200, 202}
        public.wait_for(200, "redis", up=True)
        for proxy in (redis, wire.proxy):
            proxy.heal()
        public.wait_for(200, "kafka", up=True)

        redis.silence()
        public.wait_for(200, "redis", up=False)
        redis.heal()
        public.wait_for(200, "redis", up=True)

        wire.proxy.silence()
        assert relay.post("/webhooks/plain", BODY).status_code == 202
        sidecar.wait_for(200, "kafka", up=False)
        began_s = time.monotonic()  # nothing comes: it must not be called up for want of failures
        while time.monotonic() < began_s + 2:
            assert not sidecar.ready()[1]["kafka"]["up"]
        eventually(lambda: relay.post("/webhooks/plain", BODY).status_code == 503)
        sidecar.wait_for(503, "spool", up=False, problem="it is full")
        assert not public.ready()[1]["kafka"]["up"]
        wire.proxy.heal()
        relay.told("relay_back_to_kafka")
        public.wait_for(200, "kafka", up=True)
        wire.vanish()
        public.wait_for(200, "kafka", up=False)  # the spool is empty again


def test_a_backfill_needs_kafka_and_the_vendor(topic: str, tmp_path: Path, wire: Wire) -> None:
    fake = FakeAsleep(users=4, nights=100)
    users = [word for user in fake.ids() for word in ("--user", user)]
    settings = {"BACKFILL__RATE_PER_S": "20", "BACKFILL__WORKERS": "2", "REQUEST_TIMEOUT": "1"}
    quick = {"RELAY__DEADLINE_S": "0.5", "BACKFILL__PATIENCE_S": "120"}
    with ExitStack() as stack:
        stack.enter_context(fake.serving())
        backfill = BackfillProcess(tmp_path, fake, wire.bootstrap_servers, topic, *users, **settings, **quick)
        stack.callback(backfill.end)
        port = backfill.told("sidecar_started")["port"]
        asker = stack.enter_context(Asker(f"http://127.0.0.1:{port}").asking())
        asker.wait_for(200, "asleep", up=True)
        asker.wait_for(200, "kafka", up=True)

        for gone in (Answer(503), Answer(fault="hang")):
            fake.special = lambda _, gone=gone: gone  # type: ignore[misc]
            asker.wait_for(503, "asleep", up=False)
            fake.special = lambda _: None
            asker.wait_for(200, "asleep", up=True)

        wire.proxy.silence()
        asker.wait_for(503, "kafka", up=False)
        wire.proxy.heal()
        asker.wait_for(200, "kafka", up=True)
        wire.vanish()
        asker.wait_for(503, "kafka", up=False)
        assert backfill.process.poll() is None
