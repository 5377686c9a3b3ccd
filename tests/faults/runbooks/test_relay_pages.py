"""Pages on a relay's spool: it holds events, Kafka refuses some of them, its disk or its bound is full."""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from config.embedded.services import EmbeddedServices
from config.errors import ExitCode
from tests.deliveries import as_body, generic_session
from tests.eventually import eventually
from tests.faults.relay.test_spool_set_aside import bound_records
from tests.faults.runbooks.pages import BACKFILLED, Runbook, relay_shell, vendor_for_backfill
from tests.freezing import freeze
from tests.relay_process import RelayProcess, records
from tests.small_disk import NEEDS_ROOT, fill, small_disk

pytestmark = [pytest.mark.integration, pytest.mark.faults, pytest.mark.timeout(150)]

QUICK = {"RELAY__SPOOL_AFTER_S": "0.2", "RELAY__SHUTDOWN_S": "2"}
SPOOL = Path(".session-relay/spool")


@contextmanager
def frozen(broker: int) -> Iterator[None]:
    freeze(broker)
    try:
        yield
    finally:
        os.kill(broker, signal.SIGCONT)


def send(relay: RelayProcess, number: int, **told: object) -> int:
    """Deliver one event, and return the answer's status."""
    return relay.post("/webhooks/plain", as_body(generic_session(sequence=number, **told))).status_code


def kept(kafka: str, topic: str) -> int:
    """How many different events the topic holds."""
    return len({dict(one.headers() or [])["ce_id"] for one in records(kafka, topic)})


def test_a_frozen_kafka_and_a_relay_that_will_not_come_back(
    services: EmbeddedServices, topic: str, tmp_path: Path
) -> None:
    """spool-holding.md: 202, the spool grows; the relay dies; Kafka returns, the file is brought there."""
    page, kafka = Runbook("spool-holding.md"), services.addresses.kafka_bootstrap_servers
    shell = relay_shell(tmp_path, kafka, topic)
    ours = {"relay-1.db": "relay-0.db"}
    drain = page.command("session-relay spool drain", ours)
    with RelayProcess.running(tmp_path, kafka, topic, **QUICK) as relay:
        eventually(relay.is_ready)
        with frozen(services.pids["kafka-1"]):
            assert {send(relay, number) for number in range(5)} == {202}
            eventually(lambda: relay.metrics()[page.metric("relay_spool_events")] == 5)
            eventually(lambda: relay.metrics()[page.metric("relay_spool_oldest_seconds")] > 0)
            relay.told(page.log("relay_turned_to_spool"))
            assert "Kafka" in shell.run(page.command("session-relay topics apply"), ExitCode.UNREACHABLE)
            shell.run(page.command("df"))
            shell.run(drain, ExitCode.FAILED)  # it is its relay's as long as that runs
            relay.process.kill()
            relay.process.wait()
            assert "5 events" in shell.run(drain)
    with RelayProcess.running(tmp_path, kafka, topic, RELAY__SPOOL="false") as relay:
        told = relay.told(page.log("spool_without_owner"))
        assert told["events"] == 5
    assert "Done:" in shell.run(page.command("session-relay spool drain", ours))
    assert kept(kafka, topic) == 5
    page.assert_followed(
        elsewhere={
            "kafka_error": "tests/integration/test_outage_in_logs.py",
            "spool_drain_interrupted": "tests/faults/wire/test_unanswered_produce.py",
            "kafka_producer_up": "tests/faults/relay/test_absent_kafka.py",
            "kafka_producer_queue_messages": "tests/faults/relay/test_frozen_kafka.py",
        }
    )


def test_kafka_refuses_what_was_spooled_for_good(
    services: EmbeddedServices, admin: AdminClient, topic: str, tmp_path: Path
) -> None:
    """spool-set-aside.md: max.message.bytes was lowered, the plan says so; the vendor has the facts."""
    page, kafka = Runbook("spool-set-aside.md"), services.addresses.kafka_bootstrap_servers
    bound_records(admin, topic, 3_000)
    with RelayProcess.running(tmp_path, kafka, topic, **QUICK) as relay:
        eventually(relay.is_ready)
        with frozen(services.pids["kafka-1"]):
            large = {str(one): f"{one:064}" for one in range(100)}
            assert [send(relay, 1), send(relay, 2, attributes=large), send(relay, 3)] == [202] * 3
        told = relay.told(page.log("events_set_aside"))
        assert (told["events"], told["reasons"]) == (1, ["MSG_SIZE_TOO_LARGE"])
        eventually(lambda: relay.metrics()[page.metric("relay_spool_set_aside_events")] == 1)
        relay.told("relay_back_to_kafka")
        look = page.command("session-relay spool drain")
        with vendor_for_backfill(tmp_path) as vendor:
            shell = relay_shell(tmp_path, kafka, topic, **vendor)
            assert "a relay that runs" in shell.run(look, ExitCode.FAILED)
            assert relay.stop() == ExitCode.DONE
            assert "MSG_SIZE_TOO_LARGE" in shell.run(look, ExitCode.FAILED)
            cause = shell.run(page.command("session-relay topics apply"))
            assert "max.message.bytes 3000 -> 4194304" in cause
            assert "Done:" in shell.run(page.command("session-relay topics apply --execute"))
            shell.run(page.command("session-relay backfill"))
    assert_it_stays_until_the_file_is_put_away(page, kafka, topic, tmp_path)
    assert kept(kafka, topic) == 2 + BACKFILLED + 1
    page.assert_followed()


def assert_it_stays_until_the_file_is_put_away(
    page: Runbook, kafka: str, topic: str, directory: Path
) -> None:
    with RelayProcess.running(directory, kafka, topic, **QUICK) as relay:
        eventually(lambda: relay.metrics()[page.metric("relay_spool_set_aside_events")] == 1)
        assert relay.stop() == ExitCode.DONE
    (directory / SPOOL / "relay-0.db").rename(directory / "archived.db")
    with RelayProcess.running(directory, kafka, topic, **QUICK) as relay:
        eventually(lambda: send(relay, 4) == 200)
        assert "events_set_aside" not in relay.log_text()
        assert relay.metrics()["relay_spool_set_aside_events"] == 0


@NEEDS_ROOT
def test_the_disk_is_full_and_then_the_bound(services: EmbeddedServices, topic: str, tmp_path: Path) -> None:
    """spool-disk-full.md: room on the disk is used at once, a higher bound from the next start on."""
    page, kafka = Runbook("spool-disk-full.md"), services.addresses.kafka_bootstrap_servers
    bounded = {**QUICK, "RELAY__SPOOL_MAX_BYTES": "20000"}
    shell = relay_shell(tmp_path, kafka, topic, **bounded)
    with small_disk(tmp_path / SPOOL) as disk, frozen(services.pids["kafka-1"]):
        filler = fill(disk)
        with RelayProcess.running(tmp_path, kafka, topic, **bounded) as relay:
            assert send(relay, 1) == 503
            assert_refused(page, relay, "spool_unavailable")
            assert "full" in relay.told(page.log("spool_failed"))["error"]
            assert " 100% " in shell.run(page.command("df"))
            filler.unlink()
            eventually(lambda: send(relay, 1) == 202)  # by itself
            numbers = iter(range(2, 1_000))
            eventually(lambda: send(relay, next(numbers)) == 503)
            assert_refused(page, relay, "spool_full")
            eventually(lambda: relay.metrics()[page.metric("relay_spool_bytes")] > 15_000)
            assert "RELAY__SPOOL_MAX_BYTES" in (told := shell.run(page.command("session-relay config check")))
            assert " 20000\n" in told
            cause = page.command("session-relay topics apply")
            assert "Kafka" in shell.run(cause, ExitCode.UNREACHABLE)
            held = relay.metrics()["relay_spool_events"]
        with RelayProcess.running(tmp_path, kafka, topic, **QUICK) as relay:
            eventually(lambda: relay.metrics()["relay_spool_events"] == held)
            assert send(relay, 1_000) == 202
            os.kill(services.pids["kafka-1"], signal.SIGCONT)
            relay.told("relay_back_to_kafka")
            eventually(lambda: send(relay, 1_001) == 200)  # Kafka may be slower than 0.2 s yet
            assert unavailable(relay) == 0
    assert kept(kafka, topic) == held + 2
    page.assert_followed(elsewhere={"spool_unreadable": "tests/unit/test_spool_file.py"})


def unavailable(relay: RelayProcess) -> float:
    """How many events were refused."""
    name = 'relay_events_total{outcome="unavailable",source="plain",type="SESSION_COMPLETE"}'
    return relay.metrics().get(name, 0)


def assert_refused(page: Runbook, relay: RelayProcess, reason: str) -> None:
    """503 is in the log with its reason, and in both metrics that the page names."""
    relay.told(page.log("request"), status=503, reason=reason)
    assert page.metric("relay_events_total")
    assert unavailable(relay) > 0
    name = page.metric("api_requests_total")
    answers = {told: count for told, count in relay.metrics().items() if told.startswith(name)}
    assert sum(count for told, count in answers.items() if 'status_code="503"' in told) > 0
