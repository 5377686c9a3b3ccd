"""The relay as a schema registry: Confluent's own client and deserialiser read our topic, unmodified."""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from confluent_kafka.schema_registry import SchemaRegistryClient
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.schema_registry.error import SchemaRegistryError
from confluent_kafka.serialization import MessageField, SerializationContext

from config.embedded.services import EmbeddedServices
from schemas.versions import LATEST, VERSIONS
from tests.crafted import ADDED, EVENT, record_of
from tests.deliveries import STAGE_BYTES, as_body, generic_session
from tests.fake_registry import FakeRegistry
from tests.relay_process import RelayProcess, new_topic, records

pytestmark = pytest.mark.integration
MEDIA_TYPE = "application/vnd.schemaregistry.v1+json"


@pytest.fixture(scope="module")
def relay(services: EmbeddedServices, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RelayProcess]:
    kafka = services.addresses.kafka_bootstrap_servers
    directory = tmp_path_factory.mktemp("relay")
    with RelayProcess.running(directory, kafka, new_topic(kafka)) as running:
        yield running


@pytest.fixture
def client(relay: RelayProcess) -> Iterator[SchemaRegistryClient]:
    with SchemaRegistryClient({"url": relay.url}) as made:
        yield made


@pytest.fixture
def subject(relay: RelayProcess) -> str:
    (found,) = relay.client.get(f"{relay.url}/subjects").json()
    return str(found)


def test_confluents_client_finds_every_version(client: SchemaRegistryClient, subject: str) -> None:
    assert client.get_subjects() == [subject]
    assert client.get_versions(subject) == sorted(VERSIONS)
    assert client.get_latest_version(subject).schema_id == LATEST.schema_id
    for version in VERSIONS.values():
        told = client.get_version(subject, version.number)
        assert (told.version, told.schema_id, told.subject) == (version.number, version.schema_id, subject)
        assert client.get_schema(version.schema_id).schema_str == version.text


def test_confluents_client_understands_the_errors(client: SchemaRegistryClient, subject: str) -> None:
    asked = (
        (40401, partial(client.get_versions, "nobody-value")),
        (40402, partial(client.get_version, subject, 99)),
        (40403, partial(client.get_schema, 4711)),
    )
    for code, ask in asked:
        with pytest.raises(SchemaRegistryError) as refused:
            ask()
        assert (refused.value.http_status_code, refused.value.error_code) == (404, code)


def test_confluents_deserialiser_reads_what_the_relay_wrote(
    relay: RelayProcess, client: SchemaRegistryClient, subject: str, services: EmbeddedServices
) -> None:
    body = as_body(generic_session(utc_offset_seconds=3_600))
    (event_id,) = relay.post("/webhooks/plain", body).json()["event_ids"]
    topic = subject.removesuffix("-value")
    (record,) = records(services.addresses.kafka_bootstrap_servers, topic)
    read = AvroDeserializer(client)
    context = SerializationContext(topic, MessageField.VALUE)
    told = read(record.value(), context)
    assert (told["event_id"], told["type"], told["sleep_stages"]) == (
        event_id,
        "SESSION_COMPLETE",
        STAGE_BYTES,
    )
    assert told["utc_offset_seconds"] == 3_600
    assert told["occurred_at"].tzinfo is not None
    for number in VERSIONS:  # whatever version wrote, it reads with the newest
        newest = AvroDeserializer(client, LATEST.text)
        old = newest(record_of(number), context)
        assert old["event_id"] == EVENT.event_id
        later = {name for version, names in ADDED.items() if version > number for name in names}
        assert all(old[name] is None for name in later)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/schemas/ids/1", 404, 40403),
        ("/schemas/ids/x", 404, 40403),
        ("/schemas/ids/", 404, 404),
        ("/subjects/other/versions/latest", 404, 40401),
        ("/subjects/{subject}/versions/0", 404, 40402),
        ("/subjects/{subject}/versions/newest", 422, 42202),
        ("/subjects/{subject}", 404, 404),
        ("/subjects/{subject}/versions/1/schema", 404, 404),
    ],
)
def test_errors_have_confluents_form_and_repeat_nothing(
    relay: RelayProcess, subject: str, path: str, status: int, code: int
) -> None:
    answer = relay.client.get(relay.url + path.format(subject=subject))
    assert (answer.status_code, answer.json()["error_code"]) == (status, code)
    assert answer.headers["content-type"] == MEDIA_TYPE
    assert "newest" not in answer.text


def test_routes_are_read_only_and_tell_the_media_type(relay: RelayProcess, subject: str) -> None:
    route = f"{relay.url}/subjects/{subject}/versions"
    for path in (route, f"{route}/latest", f"{route}/-1", f"{relay.url}/subjects?deleted=true"):
        got, headed = relay.client.get(path), relay.client.head(path)
        assert (got.status_code, headed.status_code, headed.content) == (200, 200, b"")
        assert got.headers["content-type"] == MEDIA_TYPE
    for method in ("POST", "PUT", "DELETE"):
        refused = relay.client.request(method, route, content=b"{}")
        assert (refused.status_code, refused.headers["allow"]) == (405, "GET, HEAD")
    assert json.loads(relay.client.get(f"{route}/latest").json()["schema"]) == json.loads(LATEST.text)


def test_a_path_is_no_label_of_a_metric(relay: RelayProcess) -> None:
    relay.client.get(f"{relay.url}/subjects/somebody-at-home/versions")
    told = {name: count for name, count in relay.metrics().items() if name.startswith("api_requests_total{")}
    assert any('endpoint="/subjects"' in name for name in told)
    assert not any("somebody" in name for name in told)


def test_where_there_is_a_real_registry_the_relay_is_none(
    services: EmbeddedServices, topic: str, tmp_path: Path
) -> None:
    kafka = services.addresses.kafka_bootstrap_servers
    with FakeRegistry.serving() as fake:
        schema_id = fake.add(f"{topic}-value", LATEST.text)
        with RelayProcess.running(tmp_path, kafka, topic, SCHEMA_REGISTRY_URL=fake.url) as relay:
            assert relay.client.get(f"{relay.url}/subjects").status_code == 404
            assert relay.post("/webhooks/plain", as_body(generic_session())).status_code == 200
        (record,) = records(kafka, topic)
        value = record.value()
        assert value is not None
        assert int.from_bytes(value[1:5]) == schema_id
        with SchemaRegistryClient({"url": fake.url}) as client:
            told = AvroDeserializer(client)(value, SerializationContext(topic, MessageField.VALUE))
        assert told["user_id"] == generic_session()["user_id"]
