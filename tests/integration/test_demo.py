"""The demo as people start it: a process of its own, on services of its own."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("config", "consumers", "producers", "schemas", "session_relay")


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all: the demo must work on what former runs left."""
    return tmp_path_factory.mktemp("demo")


@contextmanager
def demo(state_dir: Path, *arguments: str, tree: Path = ROOT) -> Iterator[subprocess.Popen[str]]:
    """A demo that runs; killed at the end should it still do so."""
    command = [sys.executable, "-m", "session_relay.cli", "up", "--state-dir", str(state_dir), *arguments]
    cache = os.environ.get("SESSION_RELAY_CACHE") or str(ROOT / ".session-relay" / "cache")
    environment = os.environ | {"PYTHONPATH": str(tree), "SESSION_RELAY_CACHE": cache}
    log = state_dir / "demo.err"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            command, cwd=tree, env=environment, stdout=subprocess.PIPE, stderr=errors, text=True
        ) as process,
    ):
        try:
            yield process
        finally:
            process.kill()


def family(state_dir: Path) -> list[psutil.Process]:
    """Every process that works in the state directory, whoever its parent is by now."""
    return [process for process in psutil.process_iter() if _works_in(process, state_dir)]


def _works_in(process: psutil.Process, state_dir: Path) -> bool:
    try:
        return str(state_dir) in " ".join([process.cwd(), *process.cmdline()]) and process.pid != os.getpid()
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return False


def eventually(claim: Callable[[], bool], within_s: float = 60) -> bool:
    """Poll until it holds, or the time is up."""
    deadline_s = time.monotonic() + within_s
    while not claim():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(0.1)
    return True


def is_up(process: subprocess.Popen[str]) -> bool:
    """Wait until both roles are there and the first round was judged."""
    assert process.stdout is not None
    return any("Traffic goes on slowly" in line for line in process.stdout)


def role(process: subprocess.Popen[str], name: str) -> psutil.Process:
    children = psutil.Process(process.pid).children()
    return next(child for child in children if child.cmdline()[-1] == name)


def test_once_ends_with_everything_stored_as_the_ledger_expects(state_dir: Path) -> None:
    with demo(state_dir, "--once", "--json", "--count", "500", "--seed", "3") as process:
        out, _ = process.communicate(timeout=150)
    assert process.returncode == 0, (state_dir / "demo.err").read_text()
    verdict = json.loads(out.splitlines()[-1])
    names = ["sent", "acknowledged", "stored", "duplicates", "stale", "parked", "lost", "seconds"]
    assert list(verdict) == names
    assert (verdict["sent"], verdict["acknowledged"]) == (500, 500)
    assert (verdict["lost"], verdict["parked"]) == (0, 0)
    assert verdict["stored"] > 50
    assert verdict["duplicates"] > 20
    assert eventually(lambda: family(state_dir) == [], within_s=10)


def test_a_broken_upsert_is_found(state_dir: Path, tmp_path: Path) -> None:
    """Method: a copy of the tree whose upsert lets the last event win, whatever it is."""
    for room in ROOMS:
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    statement = tmp_path / "consumers" / "sql" / "upsert_sessions.sql"
    head, condition, tail = statement.read_text().partition("      AND (\n          array_position")
    statement.write_text(head + tail[tail.index("    RETURNING") :])
    assert condition
    with demo(state_dir, "--once", "--json", "--count", "700", tree=tmp_path) as process:
        out, _ = process.communicate(timeout=150)
    assert process.returncode == 1
    assert json.loads(out.splitlines()[-1])["lost"] > 0


def test_ctrl_c_ends_everything_in_order(state_dir: Path) -> None:
    with demo(state_dir, "--count", "50") as process:
        assert is_up(process)
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    assert eventually(lambda: family(state_dir) == [], within_s=10)


@pytest.mark.parametrize("name", ["relay", "sink"])
def test_a_role_that_dies_ends_the_demo_which_says_so(state_dir: Path, name: str) -> None:
    with demo(state_dir, "--count", "50") as process:
        assert is_up(process)
        role(process, name).kill()
        assert process.wait(60) == 1
    errors = (state_dir / "demo.err").read_text()
    assert f"The {name} ended with status -9" in errors
    assert eventually(lambda: family(state_dir) == [], within_s=10)


def test_a_killed_demo_leaves_nothing_behind(state_dir: Path) -> None:
    with demo(state_dir, "--count", "50") as process:
        assert is_up(process)
        assert len(family(state_dir)) > 4
        process.kill()
        assert eventually(lambda: family(state_dir) == [], within_s=30)


def test_a_second_demo_in_one_directory_is_refused(state_dir: Path) -> None:
    with demo(state_dir, "--no-traffic") as first:
        assert first.stdout is not None
        assert any("tenant:" in line for line in first.stdout)
        second = subprocess.run(
            [sys.executable, "-m", "session_relay.cli", "up", "--state-dir", str(state_dir)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        first.send_signal(signal.SIGTERM)
        assert first.wait(60) == 0
    assert second.returncode == 1
    assert "A demo runs already" in second.stderr
