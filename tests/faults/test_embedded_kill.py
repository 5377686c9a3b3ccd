"""`kill -9` of whoever started the services, or of their keeper, leaves no process behind."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from config.embedded.processes import Identity, identify
from config.embedded.services import EmbeddedServices, start_detached, status
from config.embedded.state import State, load
from config.errors import Unavailable
from tests.eventually import PATIENCE_S, eventually

pytestmark = pytest.mark.faults
OWNER = """
import sys
from pathlib import Path
from config.embedded.services import EmbeddedServices
with EmbeddedServices.running(Path(sys.argv[1])):
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module", autouse=True)
def _one_cache_of_jars() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        if "SESSION_RELAY_CACHE" not in os.environ:
            patch.setenv("SESSION_RELAY_CACHE", str(Path(__file__).parents[2] / ".session-relay" / "cache"))
        yield


@pytest.fixture(scope="module")
def state_dir() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="session-relay-test-") as name:
        Path(name).chmod(0o755)  # as root, Postgres' files stay inside
        yield Path(name)


@contextmanager
def owner(state_dir: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that runs the services and waits."""
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(state_dir)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def ready(process: subprocess.Popen[bytes]) -> None:
    assert process.stdout is not None
    assert process.stdout.readline() == b"ready\n"


def family(state: State) -> list[Identity]:
    """The keeper, the services, and Postgres' own processes."""
    postgres = Path(f"/proc/{state.services['postgres'].pid}/task/{state.services['postgres'].pid}/children")
    backends = [identify(int(pid)) for pid in postgres.read_text().split()]
    assert state.keeper is not None
    assert backends
    return [state.keeper, *state.services.values(), *filter(None, backends)]


def remembered(state_dir: Path) -> State:
    state = load(state_dir)
    assert state is not None
    return state


def test_the_killed_owner_takes_all_with_it(state_dir: Path) -> None:
    with owner(state_dir) as process:
        ready(process)
        everybody = family(remembered(state_dir))
        assert all(one.is_alive() for one in everybody)
        process.kill()
        eventually(lambda: not any(one.is_alive() for one in everybody))
    assert remembered(state_dir).services == {}  # it was an orderly end


def test_the_killed_keeper_takes_all_with_it_and_the_next_start_is_clean(state_dir: Path) -> None:
    with owner(state_dir) as process:
        ready(process)
        state = remembered(state_dir)
        assert state.keeper is not None
        with psycopg.connect(status_url(state_dir)) as connection:  # a backend in the middle of a statement
            connection.execute("CREATE TABLE IF NOT EXISTS kept ()")
            connection.commit()
            everybody = family(state)
            os.kill(state.keeper.pid, signal.SIGKILL)
            eventually(lambda: not any(one.is_alive() for one in everybody))
    with EmbeddedServices.running(state_dir) as services:
        with psycopg.connect(services.addresses.database_url) as connection:
            connection.execute("TABLE kept")
        assert set(services.pids) == {"kafka-1", "postgres", "redis"}


def test_an_owner_killed_during_the_start_leaves_nothing(state_dir: Path) -> None:
    with owner(state_dir) as process:
        eventually(lambda: "kafka-1" in remembered(state_dir).services)
        state = remembered(state_dir)
        assert not state.ready
        process.kill()
        started = [one for one in (state.keeper, *state.services.values()) if one]
        eventually(lambda: not any(one.is_alive() for one in started))


def test_services_of_which_one_has_died_are_not_taken_for_running(state_dir: Path) -> None:
    with owner(state_dir) as process:
        ready(process)
        one = remembered(state_dir).services["redis"]
        os.kill(one.pid, signal.SIGKILL)
        eventually(lambda: not one.is_alive())
        with pytest.raises(Unavailable, match="redis ended"):
            start_detached(state_dir)


def test_a_service_that_ends_during_the_start_is_told_with_its_log(state_dir: Path) -> None:
    """Nothing else of that start is left either."""
    control = Path(remembered(state_dir).postgres_dir) / "data" / "global" / "pg_control"
    control.rename(control.with_suffix(".away"))
    with (
        pytest.raises(Unavailable, match=r"(?s)postgres ended at its start.*pg_control"),
        EmbeddedServices.running(state_dir),
    ):
        pass
    assert remembered(state_dir).services == {}
    control.with_suffix(".away").rename(control)


def is_begun(state_dir: Path) -> bool:
    keeper = remembered(state_dir).keeper
    return keeper is not None and keeper.is_alive()


def taken_once_begun(state_dir: Path, port: int) -> socket.socket | None:
    """Listen on a port as soon as a start has written it down; None for who comes too late."""
    eventually(lambda: is_begun(state_dir), every_s=0.001)
    listening = socket.socket()
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
        listening.listen()
    except OSError:
        listening.close()
        return None
    return listening


def test_a_port_that_is_taken_during_the_start_is_replaced(state_dir: Path) -> None:
    """Method: take Redis' as soon as it is written down, while Kafka, which comes first, is started."""

    def replaced() -> bool:
        eventually(lambda: not is_begun(state_dir))  # the one before
        before = remembered(state_dir).ports["redis"]
        with ThreadPoolExecutor(1) as thread:
            taking = thread.submit(taken_once_begun, state_dir, before)
            with EmbeddedServices.running(state_dir) as services:
                if (listening := taking.result(PATIENCE_S)) is None:
                    return False
                with listening:
                    assert remembered(state_dir).ports["redis"] != before
                    assert set(services.pids) == {"kafka-1", "postgres", "redis"}
                    return True

    eventually(replaced)


@pytest.mark.parametrize("is_dead", [True, False], ids=["dead", "dying"])
def test_a_keeper_that_is_killed_is_told_with_its_log(state_dir: Path, is_dead: bool) -> None:
    with EmbeddedServices.running(state_dir) as services:
        keeper = remembered(state_dir).keeper
        assert keeper is not None
        os.kill(keeper.pid, signal.SIGKILL)
        if is_dead:
            os.waitid(os.P_PID, keeper.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(Unavailable, match=r"keeper .* status -9; .*keeper\.log ends"):
            services.stop("redis")


def status_url(state_dir: Path) -> str:
    found = status(state_dir)
    assert found is not None
    return found.addresses.database_url
