"""`make mutants`: each known defect goes into a copy of the tree, and what should notice it is run there.

First all of that is run on the copy as it is: tests that fail anyway notice nothing. The last line is one
JSON object; non-zero where a defect was missed, or its patch no longer applies.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from shutil import copy2

from rich.console import Console
from rich.table import Table

from config.embedded.services import EmbeddedServices
from tests.mutants.defects import ROOT, Defect, DoesNotApply, broken, defects, put_into

_LIMIT_S = 400.0
_FAILED = re.compile(rb"^FAILED (\S+)", re.MULTILINE)
_FOUND = re.compile(rb"^(round \d+: (?!\d+\.\d s, ).*)", re.MULTILINE)
_CAUGHT = "caught"


def main() -> int:
    """Run as the arguments tell; the exit status."""
    parser = argparse.ArgumentParser(prog="make mutants")
    parser.add_argument("--only", default=None, metavar="NAMES", help="these alone, comma separated")
    parser.add_argument("--no-control", action="store_true", help="don't run the tests on the code as it is")
    parser.add_argument("--list", action="store_true", help="say what there is")
    told = parser.parse_args()
    chosen = [one for one in defects() if told.only is None or one.name in told.only.split(",")]
    if told.list or not chosen:
        print(*(f"{one.name}: {one.says}" for one in defects()), sep="\n")
        return 0 if told.list else 2
    os.environ.setdefault("SESSION_RELAY_CACHE", str((ROOT / ".session-relay" / "cache").absolute()))
    verdicts: dict[str, tuple[str, float]] = {}
    with tempfile.TemporaryDirectory(prefix="session-relay-mutants-") as name:
        place = Path(name)
        place.chmod(0o755)  # another user runs the database where root calls
        tree = copied(place / "tree")
        with EmbeddedServices.running(place / "services"):
            control = "passed" if told.no_control else _control(tree, chosen)
            for defect in chosen if control == "passed" else ():
                begun_s = time.monotonic()
                verdicts[defect.name] = (_verdict(tree, defect), time.monotonic() - begun_s)
                print(f"{defect.name}: {verdicts[defect.name][0]}", file=sys.stderr, flush=True)
    _show(chosen, verdicts)
    missed = sorted(name for name, (verdict, _) in verdicts.items() if not verdict.startswith(_CAUGHT))
    caught = len(verdicts) - len(missed)
    print(json.dumps({"mutants": len(chosen), "caught": caught, "missed": missed, "control": control}))
    return int(caught != len(chosen))


def copied(tree: Path) -> Path:
    """A copy of all files that are ours."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout
    for name in filter(None, listed.decode().split("\0")):
        if (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            copy2(ROOT / name, tree / name)
    return tree


def _control(tree: Path, chosen: Sequence[Defect]) -> str:
    """Run everything on the code as it is: all of it must pass."""
    for defect in chosen:
        broken(defect, tree)
    shared = sorted({test for one in chosen if not one.stops for test in one.tests})
    own = sorted({test for one in chosen if one.stops for test in one.tests})
    chaotic = sorted({one.chaos for one in chosen if one.chaos})
    runs = [_pytest(shared), _pytest(own)]
    runs += [[sys.executable, "-m", "tests.chaos", *chaos.split()] for chaos in chaotic]
    for run in runs:
        if run and (found := _run(tree, run, lent=run != runs[1])) != "passed":
            return f"{' '.join(run[2:])}: {found}"
    return "passed"


def _verdict(tree: Path, defect: Defect) -> str:
    """Whether anything notices it; the tests first, as they are quicker."""
    try:
        with put_into(defect, tree):
            found = "passed"
            if defect.tests:
                found = _run(tree, _pytest(defect.tests), lent=not defect.stops)
            if defect.chaos and not found.startswith(_CAUGHT):
                found = _run(tree, [sys.executable, "-m", "tests.chaos", *defect.chaos.split()])
    except DoesNotApply as error:
        return str(error)
    return "missed" if found == "passed" else found


def _pytest(tests: Sequence[str]) -> list[str]:
    return [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests] if tests else []


def _run(tree: Path, call: Sequence[str], *, lent: bool = True) -> str:
    """Run it in the tree, on lent services or its own: passed, caught by what, or what went wrong."""
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    if lent:
        environment["SESSION_RELAY_TEST_STATE"] = str(tree.parent / "services")
    log = tree.parent / "run.log"
    with log.open("wb") as output:
        try:
            done = subprocess.run(
                call, cwd=tree, env=environment, stdout=output, stderr=output, timeout=_LIMIT_S, check=False
            )
        except subprocess.TimeoutExpired:
            return f"took longer than {_LIMIT_S:g} s"
    told = log.read_bytes()
    if done.returncode == 0:
        return "passed"
    if done.returncode == 1 and (by := _FAILED.search(told) or _FOUND.search(told)):
        return f"{_CAUGHT} by {by[1].decode()}"
    return f"ended with status {done.returncode}: {told[-300:].decode(errors='replace')}"


def _show(chosen: Sequence[Defect], verdicts: dict[str, tuple[str, float]]) -> None:
    table = Table("defect", "what is wrong", "verdict", "seconds")
    for defect in chosen:
        verdict, took_s = verdicts.get(defect.name, ("not run", 0.0))
        table.add_row(defect.name, defect.says, verdict, f"{took_s:.0f}")
    Console(stderr=True).print(table)


if __name__ == "__main__":
    sys.exit(main())
