"""Real services for every test that asks for them, and a topic and a database of its own for each."""

import signal
import threading
import uuid
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import hypothesis
import pytest
from confluent_kafka.admin import AdminClient

import tests.services
from config.embedded.services import EmbeddedServices
from tests.log_ends import end_of
from tests.own_places import drop, migrated_template, own_database, own_topic
from tests.services import Services
from tests.sink_rig import SinkRig

collect_ignore = ["examples/test_tools.py", "examples/test_java_compatibility.py"]
"""Only where named, as `make test-examples` and `make test-java` do: they need tools that are not ours."""

hypothesis.settings.register_profile(
    "busy", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow]
)
hypothesis.settings.load_profile("busy")  # how long an example takes is the machine's, not the code's
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # a shell starts what it puts into the background so, and children would not hear of Ctrl-C either
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name bytes by their argument: with what they hold, names could differ between two workers of a run.

    Such as gzip's, which has the time in it: with different names the workers refuse to begin.
    """
    return argname if isinstance(val, bytes) else None


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add to a failure how the logs end that processes of the test have left in its directory."""
    report = yield
    logs = getattr(item, "funcargs", {}).get("tmp_path")
    if report.failed and logs is not None:
        report.sections += [(f"end of {log.name}", end_of(log)) for log in sorted(logs.rglob("*.log"))]
    return report


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
def embedded() -> Iterator[EmbeddedServices]:
    """One set of embedded services for the whole run: for tests that stop, freeze or kill them."""
    with tests.services.embedded() as running:
        yield running


@pytest.fixture(scope="session")
def services(request: pytest.FixtureRequest) -> Iterator[Services | EmbeddedServices]:
    """One set of services for the whole run, of the kind that TEST_SERVICES asks for."""
    if tests.services.mode() == "embedded":
        yield request.getfixturevalue("embedded")
        return
    with tests.services.others() as running:
        yield running


@pytest.fixture(scope="module")
def admin(services: Services) -> AdminClient:
    return AdminClient({"bootstrap.servers": services.addresses.kafka_bootstrap_servers})


@pytest.fixture
def topic(admin: AdminClient) -> Iterator[str]:
    """A topic of this test alone, with its dead-letter topic `<topic>.dlq`."""
    with _lent_topic(admin) as name:
        yield name


@contextmanager
def _lent_topic(admin: AdminClient) -> Iterator[str]:
    name = own_topic(admin)
    yield name
    if tests.services.mode() == "external":  # others end with the run
        admin.delete_topics([name, f"{name}.dlq"])


@pytest.fixture(scope="session")
def _template_name() -> Iterator[str]:
    """Of a database to copy; of this run alone where the server outlives it."""
    if tests.services.mode() != "external":
        yield "template_migrated"
        return
    yield (name := f"template-{uuid.uuid4()}")
    with tests.services.others() as running:
        drop(running.addresses.database_url, name)


@pytest.fixture(scope="module")
def template(services: Services, _template_name: str) -> str:
    return migrated_template(services.addresses.database_url, _template_name)


@pytest.fixture
def database_url(services: Services, template: str) -> Iterator[str]:
    """A migrated database of this test alone."""
    with own_database(services.addresses.database_url, template) as url:
        yield url


@pytest.fixture
def rig(services: Services, topic: str, database_url: str, tmp_path: Path) -> Iterator[SinkRig]:
    """Sinks of this test alone."""
    made = SinkRig(services, topic, database_url, tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="module")
def module_rig(
    services: Services,
    admin: AdminClient,
    template: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[SinkRig]:
    """Sinks that the tests of one module share."""
    with _lent_topic(admin) as name, own_database(services.addresses.database_url, template) as url:
        made = SinkRig(services, name, url, tmp_path_factory.mktemp("sinks"))
        yield made
        made.close()
