import re
import subprocess
import sys
import uuid

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient

from config.cluster import Cluster
from config.embedded.services import EmbeddedServices
from config.errors import ExitCode, RelayError, Unavailable
from config.kafka import client_options
from config.sections import KafkaSettings
from config.topics import apply_topics, declared, plan
from tests.eventually import PATIENCE_S, eventually

pytestmark = pytest.mark.integration


@pytest.fixture
def kafka(services: EmbeddedServices) -> KafkaSettings:
    """Topics of this test's own."""
    name = f"topics-{uuid.uuid4()}"
    return KafkaSettings(
        bootstrap_servers=services.addresses.kafka_bootstrap_servers,
        events_topic=name,
        dead_letters_topic=f"{name}.dlq",
    )


def lacking(kafka: KafkaSettings) -> list[str]:
    topics = declared(kafka)
    return [change.text for change in plan(topics, Cluster(kafka).snapshot([t.name for t in topics]))]


def partitions(kafka: KafkaSettings) -> int:
    metadata = AdminClient(client_options(kafka)).list_topics(kafka.events_topic, timeout=PATIENCE_S)
    return len(metadata.topics[kafka.events_topic].partitions)


def test_topics_are_created_can_be_used_at_once_and_then_nothing_is_left_to_do(kafka: KafkaSettings) -> None:
    assert [change.kind for change in apply_topics(kafka)] == ["create", "create"]
    producer = Producer(client_options(kafka, **{"acks": "all", "delivery.timeout.ms": 10_000}))
    failures: list[object] = []
    for partition in range(12):
        producer.produce(
            kafka.events_topic, b"x", partition=partition, on_delivery=lambda error, _: failures.append(error)
        )
    assert producer.flush(PATIENCE_S) == 0
    assert failures == [None] * 12
    assert apply_topics(kafka) == []


def test_a_setting_that_somebody_changed_is_set_back_and_others_are_kept(kafka: KafkaSettings) -> None:
    apply_topics(kafka)
    cluster = Cluster(kafka)
    cluster.configure(kafka.events_topic, {"retention.ms": "1000", "segment.ms": "60000"})
    assert lacking(kafka) == ["retention.ms 1000 -> 7776000000"]
    apply_topics(kafka)
    assert lacking(kafka) == []
    assert cluster.snapshot([kafka.events_topic]).topics[kafka.events_topic].config["segment.ms"] == "60000"


def test_partitions_grow_only_when_asked_for(kafka: KafkaSettings) -> None:
    Cluster(kafka).create(kafka.events_topic, 3, 1, {})
    apply_topics(kafka)
    assert partitions(kafka) == 3
    apply_topics(kafka, repartition=True)
    assert partitions(kafka) == 12


def test_a_topic_that_somebody_creates_at_the_same_time_is_fine(kafka: KafkaSettings) -> None:
    cluster = Cluster(kafka)
    cluster.create(kafka.events_topic, 1, 1, {})
    cluster.create(kafka.events_topic, 1, 1, {})
    eventually(lambda: partitions(kafka) == 1)  # brokers hear of it a little later


def test_what_kafka_refuses_is_an_error_for_people(kafka: KafkaSettings) -> None:
    with pytest.raises(RelayError, match="Kafka refuses"):
        Cluster(kafka).create(kafka.events_topic, 1, 1, {"cleanup.policy": "nonsense"})


def test_an_absent_cluster_is_unavailable_within_the_time_given() -> None:
    nowhere = KafkaSettings(bootstrap_servers="127.0.0.1:1")
    with pytest.raises(Unavailable, match=r"can't be reached: .*Connection refused"):
        apply_topics(nowhere, timeout_s=1)


def test_a_topic_without_leaders_is_unavailable(kafka: KafkaSettings) -> None:
    with pytest.raises(Unavailable, match="no leader"):
        Cluster(kafka).wait_usable({kafka.events_topic: 1}, within_s=0.2)


def command(kafka: KafkaSettings, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "session_relay.cli", "topics", "apply", *arguments],
        env={
            "KAFKA__BOOTSTRAP_SERVERS": kafka.bootstrap_servers,
            "KAFKA__EVENTS_TOPIC": kafka.events_topic,
            "KAFKA__DEAD_LETTERS_TOPIC": kafka.dead_letters_topic,
            "PYTHONPATH": ":".join(sys.path),
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_command_only_says_what_it_would_do_until_it_is_told_to(kafka: KafkaSettings) -> None:
    dry = command(kafka)
    assert re.findall(r"^create +(\S+):", dry.stdout, re.MULTILINE) == [
        kafka.events_topic,
        kafka.dead_letters_topic,
    ]
    assert "Not done: 2 to apply with --execute." in dry.stdout
    assert kafka.events_topic not in Cluster(kafka).snapshot([kafka.events_topic]).topics
    assert "Done: 2 applied." in command(kafka, "--execute").stdout
    assert "Nothing to do" in command(kafka).stdout


def test_the_command_ends_with_4_where_there_is_no_kafka(kafka: KafkaSettings) -> None:
    result = command(kafka.model_copy(update={"bootstrap_servers": "127.0.0.1:1"}))
    assert result.returncode == ExitCode.UNREACHABLE
    assert result.stderr.count("\n") == 1
    assert "can't be reached" in result.stderr
