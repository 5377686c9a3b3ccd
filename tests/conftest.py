"""Real services for every test that asks for them, and a topic and a database of its own for each."""

import os
import signal
import tempfile
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from psycopg import sql
from psycopg.conninfo import make_conninfo

from config.embedded.services import EmbeddedServices
from config.migrations.apply import migrate
from tests.sink_rig import SinkRig

PARTITIONS = 3
_TEMPLATE = "template_migrated"


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
    """One set of services for the whole run, in a directory that other users may enter."""
    os.environ.setdefault("SESSION_RELAY_CACHE", str(Path(__file__).parents[1] / ".session-relay" / "cache"))
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
    return _new_topic(admin)


def _new_topic(admin: AdminClient) -> str:
    name = f"test-{uuid.uuid4()}"
    wanted = [
        NewTopic(name, PARTITIONS, 1, config={"max.message.bytes": str(4 * 1024 * 1024)}),
        NewTopic(f"{name}.dlq", 1, 1, config={"max.message.bytes": str(5 * 1024 * 1024)}),
    ]
    for made in admin.create_topics(wanted).values():
        made.result(20)
    return name


@pytest.fixture(scope="session")
def _template(services: EmbeddedServices) -> str:
    url = services.addresses.database_url
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(_TEMPLATE)))
    migrate(make_conninfo(url, dbname=_TEMPLATE))
    return _TEMPLATE


@pytest.fixture
def database_url(services: EmbeddedServices, _template: str) -> Iterator[str]:
    """A migrated database of this test alone."""
    with _new_database(services.addresses.database_url, _template) as url:
        yield url


@contextmanager
def _new_database(of_all: str, template: str) -> Iterator[str]:
    name = f"test-{uuid.uuid4()}"
    with psycopg.connect(of_all, autocommit=True) as connection:
        made = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        connection.execute(made.format(sql.Identifier(name), sql.Identifier(template)))
    yield make_conninfo(of_all, dbname=name)
    with psycopg.connect(of_all, autocommit=True) as connection:  # a test may have restarted the server
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


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
    _template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[SinkRig]:
    """Sinks that the tests of one module share."""
    with _new_database(services.addresses.database_url, _template) as url:
        made = SinkRig(services, _new_topic(admin), url, tmp_path_factory.mktemp("sinks"))
        yield made
        made.close()
