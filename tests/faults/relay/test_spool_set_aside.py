"""Kafka refuses a spooled event for good, or its row is damaged: it alone is set aside, the drain goes on."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._config import AlterConfigOpType, ConfigEntry, ConfigResource
from confluent_kafka.admin._resource import ResourceType

from config.embedded.services import EmbeddedServices
from producers.publish import Record
from producers.spool.file import Row, SpoolFile, size_bytes
from schemas.codec import encode
from tests.deliveries import as_body, generic_session
from tests.events import history
from tests.eventually import eventually
from tests.relay_process import RelayProcess, records

pytestmark = pytest.mark.faults


def write_damaged(path: Path, topic: str) -> None:
    """Three rows, of which the second has headers that are none."""
    path.parent.mkdir(parents=True)
    event = Record(topic, b"user", encode(history(random.Random(7), 1)[0]), [("ce_id", b"1")])
    with SpoolFile(path) as file:
        file.write([Row(number, number, size_bytes(event), event) for number in (1, 2, 3)])
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("UPDATE events SET headers = x'c1' WHERE id = 2")


def bound_records(admin: AdminClient, topic: str, most_bytes: int) -> None:
    entry = ConfigEntry("max.message.bytes", str(most_bytes), incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    for done in admin.incremental_alter_configs([resource]).values():
        done.result(20)


def test_a_refused_event_is_set_aside_alone(
    services: EmbeddedServices, admin: AdminClient, topic: str, tmp_path: Path
) -> None:
    kafka = services.addresses.kafka_bootstrap_servers
    bound_records(admin, topic, 3_000)
    services.stop("kafka-1", "kill")
    try:
        with RelayProcess.running(tmp_path, kafka, topic, RELAY__SPOOL_AFTER_S="0.2") as relay:
            for sequence in range(1, 30):
                told = generic_session(sequence=sequence)
                if sequence == 7:
                    told["attributes"] = {str(one): f"{one:064}" for one in range(100)}
                assert relay.post("/webhooks/plain", as_body(told)).status_code == 202
            services.start("kafka-1")
            relay.told("events_set_aside", events=1, reasons=["MSG_SIZE_TOO_LARGE"])
            relay.told("relay_back_to_kafka")
            eventually(lambda: relay.metrics()["relay_spool_set_aside_events"] == 1)
            eventually(lambda: relay.metrics()["relay_spool_events"] == 0)
            last = as_body(generic_session(sequence=99))
            eventually(lambda: relay.post("/webhooks/plain", last).status_code == 200)
            assert relay.stop() == 0
    finally:
        if "kafka-1" not in services.pids:
            services.start("kafka-1")
    with sqlite3.connect(tmp_path / ".session-relay" / "spool" / "relay-0.db") as file:
        assert file.execute("SELECT reason FROM set_aside").fetchall() == [("MSG_SIZE_TOO_LARGE",)]
        assert file.execute("SELECT count(*) FROM events").fetchone() == (0,)
    file.close()
    assert len({dict(one.headers() or [])["ce_id"] for one in records(kafka, topic)}) == 29


def test_a_damaged_row_is_set_aside_alone(services: EmbeddedServices, topic: str, tmp_path: Path) -> None:
    kafka = services.addresses.kafka_bootstrap_servers
    path = tmp_path / ".session-relay" / "spool" / "relay-0.db"
    write_damaged(path, topic)
    with RelayProcess.running(tmp_path, kafka, topic) as relay:
        relay.told("events_set_aside", events=1, reasons=["DAMAGED"])
        eventually(lambda: relay.metrics()["relay_spool_events"] == 0)
        assert relay.metrics()["relay_spool_set_aside_events"] == 1
        assert relay.stop() == 0
    with closing(sqlite3.connect(path)) as file:
        assert file.execute("SELECT reason, hex(headers) FROM set_aside").fetchall() == [("DAMAGED", "C1")]
    assert len(records(kafka, topic)) == 2
