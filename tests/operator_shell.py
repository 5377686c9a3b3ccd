"""A page of docs/operations, run as it stands: its marked blocks, in a shell that has our commands."""

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.docs.source_tree import ROOT

_BLOCK = re.compile(r"<!-- run: (\w+) -->\n```sh\n(.*?)^```", re.DOTALL | re.MULTILINE)
_PROGRAM = """#!/bin/sh
exec "{python}" -m session_relay.cli "$@"
"""

_PSQL = """#!/bin/sh
exec "{python}" -c "import psycopg, sys
cursor = psycopg.connect(sys.argv[1], autocommit=True).execute(sys.argv[3])
for row in cursor.fetchall() if cursor.description else []: print(*row, sep=' | ')" "$@"
"""


def steps_of(page: str) -> dict[str, str]:
    """The blocks of one page that are marked to be run, by name, in order."""
    return dict(_BLOCK.findall((ROOT / "docs" / "operations" / page).read_text("utf-8")))


class OperatorShell:
    """Runs blocks.

    Args:
        directory: Where they run; its `bin` comes first on the path.
        environment: Settings of our commands.
        programs: More directories of programs.
    """

    def __init__(self, directory: Path, environment: Mapping[str, str], *programs: Path) -> None:
        self._directory = directory
        self.program("session-relay", _PROGRAM.format(python=sys.executable))
        path = os.pathsep.join(map(str, (directory / "bin", *programs, os.environ["PATH"])))
        self._environment = {**environment, "PATH": path, "PYTHONPATH": str(ROOT)}

    def program(self, name: str, script: str) -> None:
        """Add a program to the path."""
        program = self._directory / "bin" / name
        program.parent.mkdir(exist_ok=True)
        program.write_text(script)
        program.chmod(0o755)

    def does(
        self, block: str, *, settings: Mapping[str, str] = {}, uid: int | None = None, within_s: float = 120
    ) -> str:
        """Run one block, which has to end well, as that user; returns what it prints."""
        return self._run(block, 0, settings, uid, within_s).stdout

    def _run(
        self, block: str, code: int, settings: Mapping[str, str], uid: int | None, within_s: float
    ) -> subprocess.CompletedProcess[str]:
        run = subprocess.run(
            ["bash", "-ec", block],
            env={**self._environment, **settings},
            cwd=self._directory,
            user=uid,
            group=uid,
            extra_groups=None if uid is None else (),
            capture_output=True,
            text=True,
            timeout=within_s,
            check=False,
        )
        assert run.returncode == code, f"{block}: {run.returncode}, {run.stderr}{run.stdout}"
        return run


class Shell(OperatorShell):
    """The same with psql, which answers with its rows.

    Args:
        environment: Settings of our commands.
        directory: Where they run.
    """

    def __init__(self, environment: Mapping[str, str], directory: Path) -> None:
        super().__init__(directory, {**environment, "COLUMNS": "200"})
        self.program("psql", _PSQL.format(python=sys.executable))

    def run(self, script: str, code: int = 0) -> str:
        """Run some lines; returns what they print, errors last."""
        done = self._run(script, code, {}, None, 90)
        return done.stdout + done.stderr
