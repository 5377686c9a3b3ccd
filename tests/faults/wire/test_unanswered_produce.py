"""A producer of the relay's that waits for an answer which never comes is replaced by one that gets its own.

Method: a proxy swallows what is produced, then lets everything through again without breaking a connection.
librdkafka itself sends a request again after 30 s, which stands for a producer that never does: one that
heard of a partition without a leader may keep its records for ever (librdkafka's issue 5430).
"""

from pathlib import Path

import pytest

from config.embedded.services import EmbeddedServices
from tests.eventually import eventually
from tests.kafka_wire import PRODUCE
from tests.relay_behind_wire import NumberedRelay
from tests.relay_process import RelayProcess

pytestmark = pytest.mark.faults
SOONER_S = 20.0
"""Than librdkafka would."""


@pytest.mark.timeout(120)
def test_the_spool_is_drained_by_a_new_producer(
    services: EmbeddedServices, topic: str, tmp_path: Path
) -> None:
    kafka = services.addresses.kafka_bootstrap_servers
    with NumberedRelay.running(tmp_path, kafka, topic, RELAY__SPOOL_AFTER_S="0.5") as ours:
        relay, first = ours.relay, producers_of(ours.relay)
        ours.proxy.swallowed = frozenset({PRODUCE})
        assert ours.send(1) == 202
        relay.told("spool_drain_interrupted")
        assert ours.send(2) == 202
        ours.proxy.heal()
        eventually(lambda: relay.metrics()["relay_spool_events"] == 0, within_s=SOONER_S)
        eventually(lambda: ours.send(3) == 200)
        eventually(lambda: len(producers_of(relay)) == 1)  # the drain's and all former ones are gone
        assert not first & producers_of(relay)  # senders have a new one too
        assert relay.stop() == 0
    assert ours.stored() == [0, 1, 2, 3]


@pytest.mark.timeout(120)
def test_without_a_spool_the_producer_is_replaced_too(
    services: EmbeddedServices, topic: str, tmp_path: Path
) -> None:
    kafka = services.addresses.kafka_bootstrap_servers
    with NumberedRelay.running(tmp_path, kafka, topic, RELAY__SPOOL="false") as ours:
        relay, first = ours.relay, producers_of(ours.relay)
        ours.proxy.swallowed = frozenset({PRODUCE})
        eventually(lambda: ours.send(1) == 503 and not first & producers_of(relay), within_s=SOONER_S)
        ours.proxy.heal()
        eventually(lambda: ours.send(2) == 200, within_s=SOONER_S)
        assert len(producers_of(relay)) == 1  # the former one is gone
        assert relay.stop() == 0


def producers_of(relay: RelayProcess) -> set[str]:
    """The clients of librdkafka in this process, each by the thread that it has of its own."""
    threads = Path(f"/proc/{relay.process.pid}/task").iterdir()
    return {thread.name for thread in threads if _name(thread) == "rdk:main\n"}


def _name(thread: Path) -> str:
    try:
        return (thread / "comm").read_text()
    except (FileNotFoundError, ProcessLookupError):  # it ended between the two looks
        return ""
