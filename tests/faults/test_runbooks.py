"""The pages for whoever is woken, followed word by word beside a live fault: their signs and their commands.

Every line of a page's commands is run as it stands there; only what the page can't know is put in its
place: a port, the name of a file, the days of a gap.
"""

import json
import os
import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import OFFSET_END, TopicPartition
from confluent_kafka.admin import AdminClient

from config.embedded.services import EmbeddedServices
from config.errors import ExitCode
from tests.deliveries import as_body, generic_session
from tests.docs.test_operations import RUNBOOKS, signs
from tests.events import made
from tests.eventually import eventually
from tests.fake_asleep import KEY, FakeAsleep
from tests.integration.test_sink_metrics import base_url, samples
from tests.operator_shell import Shell
from tests.own_places import PARTITIONS
from tests.relay_process import INHERITED, RelayProcess, records
from tests.sink_rig import SinkRig

pytestmark = [pytest.mark.integration, pytest.mark.faults, pytest.mark.timeout(150)]

BLOCK = re.compile(r"^```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)


class Runbook:
    """One page, its commands one by one; all of them are to be run."""

    def __init__(self, name: str, places: dict[str, str]) -> None:
        text = RUNBOOKS[name]
        block: str = BLOCK.findall(text)[0]
        for told, here in places.items():
            assert told in block, f"{name} no longer says {told}"
            block = block.replace(told, here)
        self.log_events = set(signs(text, "log"))
        self._left: list[str] = block.splitlines()

    def command(self, begin: str) -> str:
        """The next command that begins so."""
        line = next(line for line in self._left if line.startswith(begin))
        self._left.remove(line)
        return line

    def assert_all_run(self) -> None:
        assert self._left == []


@pytest.fixture
def postgres(services: EmbeddedServices) -> Iterator[EmbeddedServices]:
    yield services
    if "postgres" not in services.pids:
        services.start("postgres")


def test_a_frozen_kafka_and_a_relay_that_will_not_come_back(
    services: EmbeddedServices, topic: str, tmp_path: Path
) -> None:
    """spool-holding.md: 202, the spool grows; the relay dies; Kafka returns, the file is brought there."""
    kafka, broker = services.addresses.kafka_bootstrap_servers, services.pids["kafka-1"]
    page = Runbook("spool-holding.md", {"relay-1.db": "relay-0.db"})
    inherited = {name: text for name, text in os.environ.items() if name in INHERITED}
    shell = Shell(inherited | {"KAFKA__BOOTSTRAP_SERVERS": kafka, "KAFKA__EVENTS_TOPIC": topic}, tmp_path)
    plan, drain = page.command("session-relay topics apply"), page.command("session-relay spool drain")
    assert "--execute" not in plan + drain
    with RelayProcess.running(tmp_path, kafka, topic, RELAY__SPOOL_AFTER_S="0.2") as relay:
        eventually(relay.is_ready)
        os.kill(broker, signal.SIGSTOP)
        try:
            for number in range(5):
                told = generic_session(sequence=number)
                assert relay.post("/webhooks/plain", as_body(told)).status_code == 202
            eventually(lambda: relay.metrics()["relay_spool_events"] == 5)
            eventually(lambda: relay.metrics()["relay_spool_oldest_seconds"] > 0)
            told_events = {line["event"] for line in relay.lines()}
            assert page.log_events & told_events >= {"relay_turned_to_spool"}
            assert "Kafka" in shell.run(plan, ExitCode.UNREACHABLE)  # the cause
            shell.run(page.command("df"))
            shell.run(drain, ExitCode.FAILED)  # it is its relay's as long as that runs
            relay.process.kill()
            relay.process.wait()
            assert "5 events" in shell.run(drain)
        finally:
            os.kill(broker, signal.SIGCONT)
    assert "Done:" in shell.run(page.command("session-relay spool drain"))
    page.assert_all_run()
    assert len({dict(one.headers() or [])["ce_id"] for one in records(kafka, topic)}) == 5


def test_postgres_is_gone(rig: SinkRig, postgres: EmbeddedServices, tmp_path: Path) -> None:
    """breaker-open.md: the sink says what it saw, psql sees the same, and it is over by itself."""
    sink = rig.start()
    rig.publish([made(session="s-1")])
    rig.wait_until_done(1)
    url = base_url(rig, sink)
    page = Runbook("breaker-open.md", {"http://127.0.0.1:9102": url})
    shell = Shell(rig.environment(), tmp_path)
    postgres.stop("postgres", "kill")
    rig.publish([made(session="s-2")])
    eventually(lambda: samples(url)["breaker_state", "postgres"] == 2, within_s=40)
    assert samples(url)["db_connection_errors_total",] > 0
    assert samples(url)["breaker_transitions_total", "open", "postgres"] > 0
    for event in ("breaker_changed", "job_failed"):
        assert event in page.log_events
        assert rig.told(sink, event)
    seen = json.loads(shell.run(page.command("curl")))["dependencies"]["postgres"]
    assert (seen["up"], seen["circuit"] in {"open", "half-open"}) == (False, True)
    assert seen["failures_in_a_row"] > 0
    assert seen["problem"]
    ask = page.command('psql "$DATABASE_URL"')
    assert "connection failed" in shell.run(ask, code=1)  # the cause
    postgres.start("postgres")
    rig.reconnect()
    assert shell.run(ask) == "False\n"
    shell.run(page.command('psql "$DATABASE_URL"'))
    page.assert_all_run()
    rig.wait_until_done(2)
    assert rig.told(sink, "breaker_changed", to="closed")
    eventually(lambda: samples(url)["breaker_state", "postgres"] == 0)


def test_a_storm_of_poison(rig: SinkRig, tmp_path: Path) -> None:
    """storm-of-poison.md: exit code 3, its last line has the reasons, and it goes on when told to."""
    window = {"SINK__STORM_WINDOW": "20"}
    rig.publish_bytes((b"u-1", b"junk") for _ in range(60))
    sink = rig.start(**window)
    assert sink.wait(30) == ExitCode.STOPPED_FOR_SAFETY
    page = Runbook("storm-of-poison.md", {})
    (line,) = rig.told(sink, "storm_of_poison")
    assert page.log_events == {"storm_of_poison"}
    assert line["poison"] > 10
    assert line["reasons"] == {"not_framed": 60}  # the cause
    assert re.fullmatch(r"partition \d offset \d+", line["first"])
    shell = Shell(rig.environment(**window), tmp_path)
    shown = page.command("session-relay dead-letters list")
    assert "0 of 0 open" in shell.run(shown)  # nothing was parked
    words = page.command("session-relay sink").split()
    rig.start(*words[2:], **window)
    rig.wait_until_done(60)
    eventually(lambda: "of 60 open" in shell.run(shown), within_s=30)
    page.assert_all_run()


def test_a_gap_in_the_log(rig: SinkRig, admin: AdminClient, tmp_path: Path) -> None:
    """gap-in-the-log.md: how much is missing and where; it is fetched again from the vendor."""
    rig.publish(made(session=f"s-{n}", user=f"u-{n}") for n in range(30))
    first = rig.start()
    rig.wait_until_done(30)
    first.terminate()
    first.wait(15)
    rig.publish(made(session=f"t-{n}", user=f"u-{n}") for n in range(30))
    everywhere = [TopicPartition(rig.topic, part, OFFSET_END) for part in range(PARTITIONS)]
    for deleted in admin.delete_records(everywhere).values():
        deleted.result(20)
    rig.publish(made(session=f"v-{n}", user=f"u-{n}") for n in range(30))
    sink = rig.start()
    url = base_url(rig, sink)
    eventually(lambda: samples(url)["sink_gap_records_total",] == 30, within_s=30)
    page = Runbook("gap-in-the-log.md", {})
    assert page.log_events == {"gap_in_log"}
    missing = {line["partition"]: line["missing"] for line in rig.told(sink, "gap_in_log", topic=rig.topic)}
    vendor = FakeAsleep(users=2, nights=3)
    (tmp_path / "ids.txt").write_text("".join(f"{user}\n" for user in vendor.ids()))
    with vendor.serving():
        ours = {"ASLEEP_API_KEY": KEY, "ASLEEP_BASE_URL": vendor.url, "NO_PROXY": "127.0.0.1"}
        shell = Shell(rig.environment(**ours, METRICS__BACKFILL_PORT="0"), tmp_path)
        rows = [row.split(" | ") for row in shell.run(page.command("psql")).splitlines()]
        assert {int(row[1]): int(row[2]) for row in rows if row[0] == rig.topic} == missing  # the cause
        shell.run(page.command("session-relay topics apply"))
        shell.run(page.command("session-relay backfill"))
    page.assert_all_run()
    eventually(lambda: rig.sums()["written"] == 66, within_s=30)
    rig.assert_accounted()
