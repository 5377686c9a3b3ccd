"""Real services for every test that asks for them, and a topic and a database of its own for each."""

import os
import signal
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from config.embedded.services import EmbeddedServices
from tests.own_places import migrated_template, own_database, own_topic
from tests.sink_rig import SinkRig

collect_ignore = ["examples/test_tools.py"]
"""Only where it is named, as `make test-examples` does: it needs tools that a checkout does not bring."""

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # a shell starts what it puts into the background so, and children would not hear of Ctrl-C either
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _nothing_fails_in_silence() -> Iterator[None]:
    """Fail the test in which a background thread died of an exception."""
    died: list[str] = []
    before = threading.excepthook
    threading.excepthook = lambda args: died.append(f"{args.thread}: {args.exc_value!r}")
    yield
    threading.excepthook = before
    assert died == []


@pytest.fixture(scope="session")
def services() -> Iterator[EmbeddedServices]:
    """One set of services for the whole run, in a directory that other users may enter.

    `SESSION_RELAY_TEST_STATE` names those of somebody else, for runs that neither stop nor start any.
    """
    os.environ.setdefault("SESSION_RELAY_CACHE", str(Path(__file__).parents[1] / ".session-relay" / "cache"))
    if lent := os.environ.get("SESSION_RELAY_TEST_STATE"):
        with EmbeddedServices.running(Path(lent)) as running:
            yield running
        return
    with tempfile.TemporaryDirectory(prefix="session-relay-tests-") as name:
        Path(name).chmod(0o755)
        with EmbeddedServices.running(Path(name)) as running:
            yield running


@pytest.fixture(scope="session")
def admin(services: EmbeddedServices) -> AdminClient:
    return AdminClient({"bootstrap.servers": services.addresses.kafka_bootstrap_servers})


@pytest.fixture
def topic(admin: AdminClient) -> str:
    """A topic of this test alone, with its dead-letter topic `<topic>.dlq`."""
    return own_topic(admin)


@pytest.fixture(scope="session")
def template(services: EmbeddedServices) -> str:
    return migrated_template(services.addresses.database_url)


@pytest.fixture
def database_url(services: EmbeddedServices, template: str) -> Iterator[str]:
    """A migrated database of this test alone."""
    with own_database(services.addresses.database_url, template) as url:
        yield url


@pytest.fixture
def rig(services: EmbeddedServices, topic: str, database_url: str, tmp_path: Path) -> Iterator[SinkRig]:
    """Sinks of this test alone."""
    made = SinkRig(services, topic, database_url, tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def module_rig(
    services: EmbeddedServices,
    admin: AdminClient,
    template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[SinkRig]:
    """Sinks that the tests of one module share."""
    with own_database(services.addresses.database_url, template) as url:
        made = SinkRig(services, own_topic(admin), url, tmp_path_factory.mktemp("sinks"))
        yield made
        made.close()
