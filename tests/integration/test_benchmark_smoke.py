"""That the benchmark measures at all; never how fast anything is."""

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.integration
ROOT = Path(__file__).parents[2]
ARGS = ["--only", "sink", "--rounds", "1", "--events", "3000", "--night-events", "300", "--json"]


@pytest.mark.usefixtures("services")  # not used, but they have fetched what services need
def test_a_small_run_tells_everything_and_leaves_nothing(tmp_path: Path) -> None:
    home, output = tmp_path / "home", tmp_path / "results.json"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *ARGS, "--output", str(output)],
        cwd=ROOT,
        env=os.environ | {"SESSION_RELAY_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
        timeout=150,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told == json.loads(output.read_text())
    assert told["valid"] is True
    assert {"ratio", "ratio_night", "ratio_plain"} < told["sink"].keys()
    for shape, events in (("narrow", 3000), ("night", 300)):
        assert told["sink"][shape]["events"] == events
        assert {"rate", "limit_rate", "cpu_s", "peak_mib", "first_commit_s"} < told["sink"][shape].keys()
    assert "relay" not in told
    assert list(home.iterdir()) == []
    assert [
        p for p in psutil.process_iter(["cmdline"]) if str(home) in " ".join(p.info["cmdline"] or [])
    ] == []


def test_an_even_number_of_rounds_is_wrong_usage() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", "--rounds", "2"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "must be odd" in done.stderr
    assert "Traceback" not in done.stderr
