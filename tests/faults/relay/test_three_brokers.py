"""One of three brokers is killed, or freezes and wakes, under load: 200, 202 or 503, and nothing is lost."""

import os
import signal
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from config.embedded.services import EmbeddedServices
from config.sections import KafkaSettings
from config.topics import apply_topics
from tests.eventually import PATIENCE_S, eventually
from tests.freezing import freeze
from tests.relay_process import RelayProcess, records
from tests.spool_load import Senders, check_promise

pytestmark = pytest.mark.faults
Away = Callable[[EmbeddedServices, str], AbstractContextManager[None]]
LANES = 16
"""So many users that each broker leads the partition of one."""
REST_S = 0.04
"""Of a user between two events: some 300 a second in all, while three brokers share the machine."""
DEADLINE_S = 10.0
"""Of any answer; far more than each is promised, as the machine may be busy."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[EmbeddedServices]:
    """Three brokers of this module alone."""
    os.environ.setdefault("SESSION_RELAY_CACHE", str(Path(__file__).parents[3] / ".session-relay" / "cache"))
    with tempfile.TemporaryDirectory(prefix="session-relay-three-") as name:
        Path(name).chmod(0o755)  # as root, Postgres' files stay inside
        with EmbeddedServices.running(Path(name), 3) as running:
            yield running


@pytest.fixture
def kafka(cluster: EmbeddedServices) -> KafkaSettings:
    """Topics as our own command makes them: three copies, two of them needed for a write."""
    name = f"three-{uuid.uuid4()}"
    made = KafkaSettings(
        bootstrap_servers=cluster.addresses.kafka_bootstrap_servers,
        events_topic=name,
        dead_letters_topic=f"{name}.dlq",
    )
    assert {change.copies for change in apply_topics(made)} == {3}
    return made


def leader(kafka: KafkaSettings) -> str:
    """The broker that leads the first partition."""
    client = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    found = client.list_topics(kafka.events_topic, timeout=PATIENCE_S).topics[kafka.events_topic]
    assert len(found.partitions) == 12
    return f"kafka-{found.partitions[0].leader}"


@contextmanager
def killed(cluster: EmbeddedServices, name: str) -> Iterator[None]:
    cluster.stop(name, "kill")
    try:
        yield
    finally:
        cluster.start(name)


@contextmanager
def frozen(cluster: EmbeddedServices, name: str) -> Iterator[None]:
    pid = cluster.pids[name]
    freeze(pid)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


@pytest.mark.parametrize(("away", "spool"), [(killed, "true"), (frozen, "true"), (frozen, "false")])
def test_one_of_three_away_under_load(
    cluster: EmbeddedServices, kafka: KafkaSettings, tmp_path: Path, away: Away, spool: str
) -> None:
    senders, name = Senders(), leader(kafka)
    settings = {
        "KAFKA__DEAD_LETTERS_TOPIC": kafka.dead_letters_topic,
        "RELAY__SPOOL": spool,
        "RELAY__SPOOL_AFTER_S": "1",
        "RELAY__DEADLINE_S": "3",
    }
    refused = 202 if spool == "true" else 503

    def well() -> bool:
        """Whether the latest of every user, and more, were acknowledged."""
        return [one.status for one in senders.answers[-10 * LANES :]] == [200] * 10 * LANES

    with RelayProcess.running(tmp_path, kafka.bootstrap_servers, kafka.events_topic, **settings) as relay:
        with senders.sending(relay, LANES, rest_s=REST_S):
            eventually(well)
            with away(cluster, name):
                eventually(lambda: senders.count(refused) > 0)
                eventually(well)  # with the two that are left
            before = senders.count(200)
            eventually(lambda: senders.count(200) > before + 200)
        eventually(lambda: relay.metrics()["relay_spool_events"] == 0)
        assert relay.stop() == 0
    assert senders.broken == 0
    assert senders.statuses() == {200, refused}
    assert max(one.took_s for one in senders.answers) < DEADLINE_S
    check_promise(records(kafka.bootstrap_servers, kafka.events_topic), senders)
