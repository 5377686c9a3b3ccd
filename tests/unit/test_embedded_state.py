"""What a state directory remembers is used again only where it is still true."""

import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.embedded.kafka import LAST_COMPILER_LEFT_OUT, Cluster, new_cluster_id
from config.embedded.postgres import _new_home
from config.embedded.processes import Identity, end, identify
from config.embedded.state import State, choose_ports, end_leftovers, load, save, take_lock
from config.embedded.wheels import directory
from config.errors import RelayError
from tests.eventually import PATIENCE_S
from tests.freezing import freeze


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def known(process: subprocess.Popen[bytes]) -> Identity:
    identity = identify(process.pid)
    assert identity is not None
    return identity


def test_ports_stay_the_same_between_runs() -> None:
    state = State(brokers=1, cluster_id="x")
    choose_ports(state, ["redis", "postgres"], pytest.fail)
    first = dict(state.ports)
    choose_ports(state, ["redis", "postgres"], pytest.fail)
    assert state.ports == first
    assert len(set(first.values())) == 2


def test_a_port_that_somebody_took_is_replaced_and_told() -> None:
    state, said = State(brokers=1, cluster_id="x"), list[str]()
    choose_ports(state, ["redis"], said.append)
    taken = state.ports["redis"]
    with socket.create_server(("127.0.0.1", taken)):
        choose_ports(state, ["redis"], said.append)
    assert state.ports["redis"] != taken
    assert said == [f"port {taken} is taken by another program: redis moves to {state.ports['redis']}"]


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    state = State(
        brokers=3, cluster_id="x", ports={"redis": 20_000}, services={"redis": Identity(7, "boot:1")}
    )
    save(tmp_path, state)
    assert load(tmp_path) == state


def test_a_directory_that_was_moved_goes_on_where_it_is(tmp_path: Path) -> None:
    (was := tmp_path / "was").mkdir()
    running = {"redis": Identity(7, "boot:1")}
    state = State(brokers=1, cluster_id="x", postgres_dir=str(was / "postgres"), services=running, ready=True)
    save(was, state)
    moved = was.rename(tmp_path / "moved")
    found = load(moved)
    assert found is not None
    assert (found.postgres_dir, found.services, found.ready) == (str(moved / "postgres"), running, True)


@pytest.mark.parametrize("inside", [True, False])
def test_a_copy_of_a_directory_takes_nothing_that_is_the_originals(tmp_path: Path, *, inside: bool) -> None:
    original, copy = tmp_path / "original", tmp_path / "copy"
    original.mkdir()
    home = original / "postgres" if inside else tmp_path / "elsewhere"
    ours = Identity(7, "boot:1")
    save(
        original,
        State(
            brokers=1,
            cluster_id="x",
            postgres_dir=str(home),
            ports={"redis": 20_000},
            keeper=ours,
            services={"redis": ours},
            ready=True,
        ),
    )
    shutil.copytree(original, copy)
    found = load(copy)
    assert found is not None
    assert (found.keeper, found.services, found.ready) == (None, {}, False)
    assert found.postgres_dir == (str(copy / "postgres") if inside else "")
    assert found.ports == {"redis": 20_000}


def test_postgres_of_a_copy_has_a_place_of_its_own_outside_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    (closed := tmp_path / "closed").mkdir(mode=0o700)
    state = State(brokers=1, cluster_id="x")
    first = _new_home(state, closed)
    assert first == tmp_path / "session-relay-x"
    first.mkdir()
    assert _new_home(state, closed) not in {first, closed / "postgres"}


def test_a_directory_that_never_ran_has_no_state(tmp_path: Path) -> None:
    assert load(tmp_path) is None


def test_a_damaged_state_is_told_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("{")
    with pytest.raises(RelayError, match=r"state\.json can't be read"):
        load(tmp_path)


def test_a_directory_has_one_keeper(tmp_path: Path) -> None:
    assert take_lock(tmp_path) is not None
    assert take_lock(tmp_path) is None


def test_leftovers_are_ended(sleeper: subprocess.Popen[bytes]) -> None:
    said: list[str] = []
    end_leftovers(State(brokers=1, cluster_id="x", services={"redis": known(sleeper)}), said.append)
    assert sleeper.wait(PATIENCE_S) == -signal.SIGINT
    assert said == ["ending what a killed run left: redis"]


def test_a_stranger_with_a_leftovers_number_is_spared(sleeper: subprocess.Popen[bytes]) -> None:
    """Numbers are used again; the time of its start tells one process from the other."""
    stranger = Identity(sleeper.pid, "another boot:1")
    end_leftovers(State(brokers=1, cluster_id="x", services={"redis": stranger}), pytest.fail)
    assert sleeper.poll() is None


def test_a_frozen_process_is_woken_to_be_ended(sleeper: subprocess.Popen[bytes]) -> None:
    freeze(sleeper.pid)
    end([known(sleeper)])
    assert sleeper.wait(PATIENCE_S) == -signal.SIGINT


def test_a_process_that_refuses_to_end_is_killed_with_its_children() -> None:
    command = "trap '' INT; sleep 61 & echo $!; wait"
    with subprocess.Popen(["sh", "-c", command], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        child = identify(int(process.stdout.readline()))
        assert child is not None
        end([known(process)], within_s=0.1)
        assert process.wait(PATIENCE_S) == -signal.SIGKILL
        assert not child.is_alive()


def test_three_brokers_replicate_thrice_and_need_two_in_sync(tmp_path: Path) -> None:
    ports = ((1, 11), (2, 12), (3, 13))
    cluster = Cluster(directory=tmp_path, jars=tmp_path, cluster_id=new_cluster_id(), ports=ports)
    lines = cluster.properties(2).splitlines()
    assert "default.replication.factor=3" in lines
    assert "min.insync.replicas=2" in lines
    assert "controller.quorum.voters=1@127.0.0.1:11,2@127.0.0.1:12,3@127.0.0.1:13" in lines
    assert "listeners=PLAINTEXT://127.0.0.1:2,CONTROLLER://127.0.0.1:12" in lines
    assert cluster.bootstrap_servers == "127.0.0.1:1,127.0.0.1:2,127.0.0.1:3"


@pytest.mark.parametrize(
    ("brokers", "sustained", "left_out"),
    [(1, True, False), (1, False, True), (3, True, True), (3, False, True)],
)
def test_the_last_compiler_is_kept_for_one_broker_that_carries_load(
    tmp_path: Path, brokers: int, sustained: bool, left_out: bool
) -> None:
    ports = tuple((number, number + 10) for number in range(brokers))
    cluster = Cluster(
        directory=tmp_path, jars=tmp_path, cluster_id=new_cluster_id(), ports=ports, sustained=sustained
    )
    assert (LAST_COMPILER_LEFT_OUT in cluster.launch(1).args) is left_out


def test_a_missing_wheel_is_told_with_the_way_to_install_it() -> None:
    with pytest.raises(RelayError, match=r"no_such_wheel is not installed.*session-relay\[embedded\]"):
        directory("no_such_wheel")
