"""An operator's shell: our command and psql are on its path, and it has a directory of its own."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.docs.source_tree import ROOT

_PSQL = """#!/bin/sh
exec "{python}" -c "import psycopg, sys
cursor = psycopg.connect(sys.argv[1], autocommit=True).execute(sys.argv[3])
for row in cursor.fetchall() if cursor.description else []: print(*row, sep=' | ')" "$@"
"""
_OURS = """#!/bin/sh
exec "{python}" -m session_relay.cli "$@"
"""


class Shell:
    """Runs what a page tells to run.

    Args:
        environment: Where the services are, as the operator has exported it.
        directory: Where the operator stands.
    """

    def __init__(self, environment: Mapping[str, str], directory: Path) -> None:
        programs = directory / "bin"
        programs.mkdir()
        for name, script in {"session-relay": _OURS, "psql": _PSQL}.items():
            (programs / name).write_text(script.format(python=sys.executable))
            (programs / name).chmod(0o755)
        path = f"{programs}{os.pathsep}{os.environ['PATH']}"
        self.environment = {**environment, "PATH": path, "PYTHONPATH": str(ROOT), "COLUMNS": "200"}
        self._directory = directory

    def run(self, script: str, code: int = 0) -> str:
        """Run some lines of a shell; returns what they print, errors last."""
        done = subprocess.run(
            ["bash", "-ec", script],
            env=self.environment,
            cwd=self._directory,
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert done.returncode == code, f"{script}: {done.returncode}, {done.stdout}{done.stderr}"
        return done.stdout + done.stderr
