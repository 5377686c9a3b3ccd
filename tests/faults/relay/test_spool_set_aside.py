"""Kafka refuses a spooled event for good, or its row is damaged: it alone is set aside, the drain goes on."""

import random
import re
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
from tests.eventually import PATIENCE_S, eventually
from tests.relay_process import RelayProcess, records

pytestmark = pytest.mark.faults
DAMAGES = (
    "headers = x'c1'",
    "headers = 'text'",
    "headers = NULL",
    "topic = CAST(x'66ff' AS TEXT)",
    "topic = CAST(x'6600' AS TEXT)",
    "topic = NULL",
    "value = NULL, size_bytes = NULL",
    "value = NULL, size_bytes = 'x', spooled_at = NULL",
    "value = NULL, spooled_at = -9000000000000000000",
)
HARMLESS = "topic = CAST(topic AS BLOB), value = CAST(value AS TEXT), size_bytes = '7'"


def _declare(path: Path, made: str) -> None:
    """Tell another form of the table of events; what is in it stays as it is."""
    with closing(sqlite3.connect(path, isolation_level=None)) as file:
        file.execute("PRAGMA writable_schema = ON")
        file.execute("UPDATE sqlite_schema SET sql = ? WHERE name = 'events'", [made])


def write_damaged(path: Path, topic: str) -> int:
    """Three that can be published, and those that flipped bits have made unreadable; returns how many."""
    path.parent.mkdir(parents=True)
    event = Record(topic, b"user", encode(history(random.Random(7), 1)[0]), [("ce_id", b"1")])
    with SpoolFile(path) as file:
        file.write([Row(number, number, size_bytes(event), event) for number in range(1, len(DAMAGES) + 4)])
    with closing(sqlite3.connect(path)) as other:
        (made,) = other.execute("SELECT sql FROM sqlite_schema WHERE name = 'events'").fetchone()
    _declare(path, re.sub(r"( NOT NULL|STRICT)", "", re.sub(r" (TEXT|BLOB)", "", made)))
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        for number, damage in enumerate((*DAMAGES, HARMLESS), 2):
            other.execute(f"UPDATE events SET {damage} WHERE id = {number}")
    _declare(path, made)
    return len(DAMAGES)


def bound_records(admin: AdminClient, topic: str, most_bytes: int) -> None:
    entry = ConfigEntry("max.message.bytes", str(most_bytes), incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    for done in admin.incremental_alter_configs([resource]).values():
        done.result(PATIENCE_S)


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


def test_damaged_rows_are_set_aside_alone(services: EmbeddedServices, topic: str, tmp_path: Path) -> None:
    kafka = services.addresses.kafka_bootstrap_servers
    path = tmp_path / ".session-relay" / "spool" / "relay-0.db"
    damaged = write_damaged(path, topic)
    with RelayProcess.running(tmp_path, kafka, topic) as relay:
        relay.told("events_set_aside", events=damaged, reasons=["DAMAGED"])
        eventually(lambda: relay.metrics()["relay_spool_events"] == 0)
        assert relay.metrics()["relay_spool_set_aside_events"] == damaged
        assert relay.stop() == 0
    with closing(sqlite3.connect(path)) as file:
        aside = file.execute("SELECT reason, count(*), max(hex(headers)) FROM set_aside").fetchall()
    assert aside == [("DAMAGED", damaged, "C1")]
    assert len({one.value() for one in records(kafka, topic)}) == 1
    assert len(records(kafka, topic)) == 3
