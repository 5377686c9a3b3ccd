"""The demo as people start it: a process of its own, on services of its own."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import httpx
import psutil
import pytest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from config.metrics import OUTCOMES
from schemas.event import EventType
from tests.docs.tables import declared
from tests.eventually import eventually

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
CLOSED = {
    "outcome": {*OUTCOMES, "acknowledged", "spooled", "invalid", "unauthenticated", "limited", "unavailable"},
    "type": {kind.value for kind in EventType},
    "source": {"asleep", "generic"},
    "method": {"GET", "HEAD", "POST", "OTHER"},
    "endpoint": {"/webhooks/{source}", "/readyz", "/livez", "other"},
    "stage": {"published", "read", "committed", "decode", "park", "copy", "apply", "commit", "isolate"},
    "name": {"postgres"},
    "to": {"open", "half-open", "closed"},
    "topic": {"session.events"},
    "role": {"relay", "sink"},
    "version": {version("session-relay")},
}
NUMBERS = {"le", "partition", "status_code"}
ROOMS = ("config", "consumers", "producers", "schemas", "session_relay")


@pytest.fixture(scope="module")
def state_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One for all: the demo must work on what former runs left."""
    return tmp_path_factory.mktemp("demo")


@contextmanager
def demo(
    state_dir: Path, *arguments: str, tree: Path = ROOT, **settings: str
) -> Iterator[subprocess.Popen[str]]:
    """A demo that runs; killed at the end should it still do so."""
    command = [sys.executable, "-m", "session_relay.cli", "up", "--state-dir", str(state_dir), *arguments]
    cache = os.environ.get("SESSION_RELAY_CACHE") or str(ROOT / ".session-relay" / "cache")
    environment = os.environ | {"PYTHONPATH": str(tree), "SESSION_RELAY_CACHE": cache} | settings
    with (
        (state_dir / "demo.err").open("w") as errors,
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


def wait_up(process: subprocess.Popen[str], state_dir: Path) -> None:
    """Wait until both roles are there and the first round was judged."""
    assert process.stdout is not None
    lines = []
    for line in process.stdout:
        lines.append(line)
        if "Traffic goes on slowly" in line:
            return
    raise AssertionError("".join(lines) + (state_dir / "demo.err").read_text())


def role(process: subprocess.Popen[str], name: str) -> psutil.Process:
    children = psutil.Process(process.pid).children()
    return next(child for child in children if child.cmdline()[-1] == name)


def exposed(state_dir: Path, name: str) -> list[Metric]:
    """What a role's sidecar tells."""
    lines = (state_dir / "logs" / f"{name}.log").read_text("utf-8").splitlines()
    started = [line for line in lines if '"sidecar_started"' in line]
    answer = httpx.get(f"http://127.0.0.1:{json.loads(started[-1])['port']}/metrics", trust_env=False)
    return list(text_string_to_metric_families(answer.text))


def assert_declared(found: list[Metric]) -> None:
    """Names, kinds, helps and labels are those of the declarations, and each value is of a closed set."""
    told = {family.name: family for family in found if not family.name.endswith("_created")}
    wanted = {family.name: (family, labels) for family, labels in declared().values()}
    assert told.keys() == wanted.keys()
    for name, (family, labels) in wanted.items():
        assert (told[name].type, told[name].documentation) == (family.type, family.documentation)
        for sample in told[name].samples:
            assert sample.labels.keys() - {"le"} == set(labels), sample
    samples = [sample for family in told.values() for sample in family.samples]
    values = {value for sample in samples for value in sample.labels.items()}
    assert {(label, value) for label, value in values if not _is_closed(label, value)} == set()
    assert {"acknowledged", "written"} & {value for label, value in values if label == "outcome"}


def _is_closed(label: str, value: str) -> bool:
    return float(value) >= 0 if label in NUMBERS else value in CLOSED[label]


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
    run = re.search(r"^tenant: demo-(\w+)$", (state_dir / "demo.err").read_text(), re.MULTILINE)
    logs = [path.read_text() for path in (state_dir / "logs").glob("*.log")]
    assert run is not None
    assert len(logs) == 2
    assert [log for log in logs if run[1] in log] == []  # it is part of each user's and each session's id
    eventually(lambda: family(state_dir) == [], within_s=10)


def test_a_broken_upsert_is_found(state_dir: Path, tmp_path: Path) -> None:
    """Method: a tree whose upsert lets the last event win, and batches too small to choose before it."""
    for room in ROOMS:
        shutil.copytree(ROOT / room, tmp_path / room, ignore=shutil.ignore_patterns("__pycache__"))
    statement = tmp_path / "consumers" / "sql" / "upsert_sessions.sql"
    head, condition, _ = statement.read_text().partition("  AND {order_of_staged} > {order_of_row}")
    statement.write_text(head)
    assert condition
    arguments = ("--once", "--json", "--count", "700")
    with demo(state_dir, *arguments, tree=tmp_path, SINK__BATCH_ROWS="10") as process:
        out, _ = process.communicate(timeout=150)
    assert process.returncode == 1
    assert json.loads(out.splitlines()[-1])["lost"] > 0


def test_what_it_exposes_is_what_is_declared_and_ctrl_c_ends_everything_in_order(state_dir: Path) -> None:
    with demo(state_dir, "--count", "50") as process:
        wait_up(process, state_dir)
        for name in ("relay", "sink"):
            assert_declared(exposed(state_dir, name))
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 0
    eventually(lambda: family(state_dir) == [], within_s=10)


def test_a_role_that_dies_ends_the_demo_which_says_so(state_dir: Path) -> None:
    with demo(state_dir, "--count", "50") as process:
        wait_up(process, state_dir)
        role(process, "sink").kill()
        assert process.wait(60) == 1
    errors = (state_dir / "demo.err").read_text()
    assert "The sink ended with status -9" in errors
    eventually(lambda: family(state_dir) == [], within_s=10)


def test_a_killed_demo_leaves_nothing_behind(state_dir: Path) -> None:
    with demo(state_dir, "--count", "50") as process:
        wait_up(process, state_dir)
        assert len(family(state_dir)) > 4
        process.kill()
        eventually(lambda: family(state_dir) == [])


def test_sigterm_is_as_good_and_a_second_demo_in_the_directory_is_refused(state_dir: Path) -> None:
    with demo(state_dir, "--no-traffic") as first:
        assert first.stdout is not None
        assert any("tenant:" in line for line in first.stdout)
        with demo(state_dir) as second:
            assert second.wait(60) == 1
        assert "A demo runs already" in (state_dir / "demo.err").read_text()
        first.send_signal(signal.SIGTERM)
        assert first.wait(60) == 0
    eventually(lambda: family(state_dir) == [], within_s=10)
