from pathlib import Path
from typing import Any

import pytest

from config.embedded.services import EmbeddedServices
from schemas.codec import decode
from schemas.event import EventType
from tests.deliveries import (
    STAGE_BYTES,
    USER,
    as_body,
    asleep_inference,
    asleep_session,
    generic_session,
    signed,
)
from tests.relay_process import RelayProcess, records

pytestmark = pytest.mark.integration
TRACE = "0af7651916cd43dd8448eb211c80319c"


@pytest.mark.parametrize("keep_raw", [True, False])
def test_an_acknowledged_delivery_is_one_record(
    services: EmbeddedServices, topic: str, tmp_path: Path, keep_raw: bool
) -> None:
    kafka = services.addresses.kafka_bootstrap_servers
    body = as_body(asleep_session())
    with RelayProcess.running(tmp_path, kafka, topic, RELAY__KEEP_RAW=str(keep_raw)) as relay:
        headers = signed(body) | {"traceparent": f"00-{TRACE}-b7ad6b7169203331-01"}
        (event_id,) = relay.post("/webhooks/asleep", body, headers).json()["event_ids"]
        assert relay.stop() == 0
    (record,) = records(kafka, topic)
    value = record.value()
    assert value is not None
    event = decode(value)
    assert (event.event_id, event.type, event.source) == (event_id, EventType.SESSION_COMPLETE, "asleep")
    assert (event.tenant, event.sleep_stages) == ("default", STAGE_BYTES)
    assert event.raw == (body if keep_raw else None)
    assert record.key() == USER.encode()
    told: dict[str, Any] = dict(record.headers() or [])
    assert told["ce_id"] == event_id.encode()
    assert told["ce_type"] == b"sessionrelay.session_complete"
    assert told["ce_source"] == b"/sources/asleep"
    assert told["traceparent"].decode().split("-")[1] == TRACE


def test_one_users_events_stand_in_order_in_one_partition(
    services: EmbeddedServices, topic: str, tmp_path: Path
) -> None:
    kafka = services.addresses.kafka_bootstrap_servers
    with RelayProcess.running(tmp_path, kafka, topic) as relay:
        for number in range(5):
            for user in ("a", "b", "c", "d"):
                body = as_body(asleep_inference(number=number, user=user))
                assert relay.post("/webhooks/asleep", body, signed(body, user)).status_code == 200
    found: dict[bytes, list[tuple[int | None, int]]] = {}
    for record in records(kafka, topic):
        value, key = record.value(), record.key()
        assert value is not None
        assert isinstance(key, bytes)
        found.setdefault(key, []).append((record.partition(), decode(value).sequence))
    assert len(found) == 4
    for placed in found.values():
        assert len({partition for partition, _ in placed}) == 1
        assert [number for _, number in placed] == list(range(5))


def test_the_partition_is_the_one_that_java_clients_choose(
    services: EmbeddedServices, topic: str, tmp_path: Path
) -> None:
    """Of three partitions, murmur2 puts these keys so (org.apache.kafka.common.utils.Utils.murmur2)."""
    kafka = services.addresses.kafka_bootstrap_servers
    with RelayProcess.running(tmp_path, kafka, topic) as relay:
        for user in ("21", "foobar", "a-little-bit-long-string"):
            body = as_body(generic_session(user_id=user))
            assert relay.post("/webhooks/plain", body).status_code == 200
    placed = {record.key(): record.partition() for record in records(kafka, topic)}
    # the hashes are those of Kafka's own test, UtilsTest.testMurmur2
    hashes = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536}
    assert placed == {key: (value & 0x7FFFFFFF) % 3 for key, value in hashes.items()}
