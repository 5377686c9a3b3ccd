"""The spool's disk is full: 503, nothing half-written, and it works again by itself."""

import os
import signal
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.embedded.services import EmbeddedServices
from tests.deliveries import as_body, generic_session
from tests.eventually import eventually
from tests.freezing import freeze
from tests.relay_process import RelayProcess, records
from tests.small_disk import NEEDS_ROOT, fill, small_disk
from tests.spool_load import Senders, check_promise

pytestmark = [pytest.mark.faults, NEEDS_ROOT]


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk") as place:
        yield place


def test_a_spool_that_fills_its_disk_refuses_and_recovers(
    services: EmbeddedServices, topic: str, tmp_path: Path, disk: Path
) -> None:
    kafka, broker = services.addresses.kafka_bootstrap_servers, services.pids["kafka-1"]
    senders = Senders()
    settings = {"RELAY__SPOOL_DIR": str(disk / "spool"), "RELAY__SPOOL_AFTER_S": "0.2"}
    with RelayProcess.running(tmp_path, kafka, topic, **settings) as relay:
        freeze(broker)
        try:
            with senders.sending(relay):
                eventually(lambda: senders.count(503) > 50)
            refused = relay.post("/webhooks/plain", as_body(generic_session()))
            assert (refused.status_code, "retry-after" in refused.headers) == (503, True)
            eventually(lambda: not relay.is_ready())  # between two attempts at the file
            with sqlite3.connect(disk / "spool" / "relay-0.db") as file:
                held = file.execute("SELECT count(*) FROM events").fetchone()[0]
                assert file.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            file.close()
            assert held >= senders.count(202) > 100
        finally:
            os.kill(broker, signal.SIGCONT)
        relay.told("relay_back_to_kafka")
        eventually(relay.is_ready)
        eventually(lambda: relay.metrics()["relay_spool_events"] == 0)
        second = as_body(generic_session(sequence=2))
        eventually(lambda: relay.post("/webhooks/plain", second).status_code == 200)
        spooled = senders.count(202)
        freeze(broker)  # and the spool takes the next outage
        try:
            again = Senders()
            with again.sending(relay):
                eventually(lambda: again.count(202) > 50)
        finally:
            os.kill(broker, signal.SIGCONT)
        eventually(lambda: relay.metrics()["relay_spool_events"] == 0)
        assert relay.stop() == 0
    assert spooled > 100
    check_promise(records(kafka, topic), senders)


def test_a_disk_that_others_filled_is_used_once_there_is_room(
    services: EmbeddedServices, topic: str, tmp_path: Path, disk: Path
) -> None:
    kafka, broker = services.addresses.kafka_bootstrap_servers, services.pids["kafka-1"]
    settings = {"RELAY__SPOOL_DIR": str(disk / "spool"), "RELAY__SPOOL_AFTER_S": "0.2"}
    filler = fill(disk)
    body = as_body(generic_session())
    with RelayProcess.running(tmp_path, kafka, topic, **settings) as relay:
        # Kafka is enough to start and to work; a first acknowledgement may take longer than 0.2 s
        eventually(lambda: relay.post("/webhooks/plain", body).status_code == 200)
        freeze(broker)
        try:
            assert relay.post("/webhooks/plain", body).status_code == 503
            filler.unlink()
            eventually(lambda: relay.post("/webhooks/plain", body).status_code == 202)
        finally:
            os.kill(broker, signal.SIGCONT)
        relay.told("relay_back_to_kafka")
