"""`make observe`: services, roles and a real Prometheus; asks every dashboard's queries, drills alerts.

Not a part of `make test`: it needs Prometheus. Without one it ends with 4.
"""

import os
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import httpx
from confluent_kafka import Producer
from rich.console import Console

from config.errors import ExitCode
from config.migrations.apply import migrate
from config.sections import KafkaSettings
from config.topics import apply_topics
from session_relay.simulate import standalone
from session_relay.simulate.sender import Manner
from session_relay.up.roles import Role
from session_relay.up.setting import Ports, Setting
from tests.docs.test_observability import DASHBOARDS, panels
from tests.eventually import eventually
from tests.observe.prometheus import Prometheus, prometheus
from tests.services import embedded

WITHIN_S: Final = 90.0
DELIVERIES: Final = 1_500
RATE: Final = 60.0
"""Deliveries a second: long enough for rates over several scrapes."""
EMPTY: Final = {
    "backfill_": "no backfill runs",
    "relay_limited_total": "no limit is set, so nothing was refused by one",
    'instance=~"$instance",outcome="parked"': "no source of the demo sends arrays with bad items",
    "breaker_transitions_total": "no breaker has changed before the drills",
}
"""Why a query may find nothing, by what it asks for."""


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


class Stage:
    """The services, a relay and a sink, with what they are told."""

    def __init__(self, stack: ExitStack, directory: Path) -> None:
        self._stack, self._directory = stack, directory
        self.services = stack.enter_context(embedded())
        migrate(self.services.addresses.database_url)
        kafka = self.services.addresses.kafka_bootstrap_servers
        apply_topics(KafkaSettings(bootstrap_servers=kafka))
        self.setting = Setting.drawn(Ports())
        self.roles = {name: self._started(name) for name in ("sink", "relay")}
        self.relay_url = self.roles["relay"].wait_url("relay_started")
        for role in self.roles.values():
            role.wait_ready()

    def _started(self, name: str) -> Role:
        quick = {"BREAKER__FAILURES": "1", "BREAKER__RESET_S": "5", "DB__POOL_TIMEOUT_S": "1"}
        environment = self.setting.environment(name, self.services.addresses) | quick
        return self._stack.enter_context(Role(name, environment, self._directory))

    def targets(self) -> dict[str, str]:
        """Where each role's sidecar listens."""
        return {name: urlsplit(role.wait_url("sidecar_started")).netloc for name, role in self.roles.items()}

    def send(self) -> None:
        """Nights, some of them refused, and records that no sink can read."""
        kafka = self.services.addresses.kafka_bootstrap_servers
        garbage = Producer({"bootstrap.servers": kafka})
        for _ in range(5):
            garbage.produce("session.events", b"no event at all", b"nobody")
        garbage.flush(20)
        url = f"{self.relay_url}/webhooks/generic"
        with httpx.Client(trust_env=False) as client:
            client.post(url, content=b"{}", headers={"content-type": "application/json"})
        self._send_nights(DELIVERIES)

    def lose_postgres(self) -> None:
        """Kill it, and send what can't be written then: a breaker hears of nothing else."""
        self.services.stop("postgres", "kill")
        self._send_nights(20)

    def _send_nights(self, count: int) -> None:
        order = standalone.Order(
            url=self.relay_url,
            credentials=self.setting.credentials,
            seed=1,
            count=count,
            manner=Manner(connections=8, rate=RATE),
        )
        standalone.send(order, Console(stderr=True))


def ask(server: Prometheus) -> list[str]:
    """Ask every query of every dashboard; return those that find nothing without a reason."""
    asked = [
        (board, panel["title"], target["expr"])
        for board, told in DASHBOARDS.items()
        for panel in panels(told)
        for target in panel["targets"]
    ]
    silent = [(board, title, query) for board, title, query in asked if not server.values(query)]
    unexplained = [one for one in silent if not any(name in one[2] for name in EMPTY)]
    say(f"{len(asked)} queries; {len(silent) - len(unexplained)} find nothing, as is expected here")
    return [f"{board}, {title}: {query}" for board, title, query in unexplained]


def drill(server: Prometheus, alert: str, act: Callable[[], object]) -> None:
    """Do harm, and wait until an alert hears of it."""
    if alert in server.alerts():
        raise AssertionError(f"{alert} is on before its drill")
    act()
    eventually(lambda: alert in server.alerts(), WITHIN_S, every_s=0.5)
    say(f"drill: {alert} is {server.alerts()[alert]}")


def main() -> ExitCode:
    if shutil.which("prometheus") is None:
        say("prometheus is not on the PATH; on Debian and Ubuntu: apt install prometheus")
        return ExitCode.UNREACHABLE
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="session-relay-observe-")))
        stage = Stage(stack, directory)
        server = stack.enter_context(prometheus(directory, stage.targets()))
        stage.send()
        try:
            eventually(lambda: server.values("max(dead_letters_open) >= 5"), WITHIN_S, every_s=0.5)
            if silent := ask(server):
                say("no data:\n  " + "\n  ".join(silent))
                return ExitCode.FAILED
            drill(server, "BreakerOpen", stage.lose_postgres)
            stage.services.start("postgres")
            eventually(lambda: "BreakerOpen" not in server.alerts(), WITHIN_S, every_s=0.5)
            drill(server, "SinkGone", lambda: os.kill(stage.roles["sink"].pid, signal.SIGKILL))
            drill(server, "RelayGone", lambda: os.kill(stage.roles["relay"].pid, signal.SIGKILL))
        except AssertionError as failure:
            say(f"{failure}; pending or firing: {server.alerts()}")
            return ExitCode.FAILED
    return ExitCode.DONE


if __name__ == "__main__":
    sys.exit(main())
