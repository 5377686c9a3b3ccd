"""The README's walkthrough, run as it is written: own services, own roles, one delivery of one's own."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.docs.source_tree import ROOT
from tests.docs.tables import README
from tests.eventually import eventually
from tests.ports import free_port

pytestmark = pytest.mark.integration

BLOCKS = re.compile(r"<!-- walkthrough -->\n```sh\n(.*?)```", re.DOTALL)
PORT = 8080


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A reader's shell: the command on the PATH, an own directory, ports that are free here."""
    programs = tmp_path / "bin"
    programs.mkdir()
    program = programs / "session-relay"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m session_relay.cli "$@"\n')
    program.chmod(0o755)
    return os.environ | {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "SESSION_RELAY_CACHE": os.environ.get("SESSION_RELAY_CACHE", str(ROOT / ".session-relay" / "cache")),
        "API_PORT": str(free_port()),
        "METRICS__RELAY_PORT": "0",
        "METRICS__SINK_PORT": "0",
    }


@pytest.fixture
def said(tmp_path: Path, environment: dict[str, str]) -> Iterator[list[str]]:
    """What the shell printed, the database's address last; the roles run until the test is over."""
    roles, delivery = BLOCKS.findall(README.read_text("utf-8"))
    steps = [
        "set -e",
        "trap 'kill $(jobs -p) || true; wait; session-relay services stop' EXIT",
        roles,
        delivery.replace(f":{PORT}/", f":{environment['API_PORT']}/"),
        'echo; echo "$DATABASE_URL"',
        "read -r _ || true",
    ]
    log = tmp_path / "log"
    with (
        log.open("w") as errors,
        subprocess.Popen(
            ["bash", "-c", "\n".join(steps)],
            cwd=tmp_path,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        ) as shell,
    ):
        assert shell.stdout is not None
        lines: list[str] = []
        while not lines or not lines[-1].startswith("postgresql://"):
            lines.append(shell.stdout.readline().strip())
            assert shell.poll() is None, log.read_text()
        yield lines
        shell.communicate(timeout=60)
    assert shell.returncode == 0


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("openssl")), reason="needs curl and openssl")
def test_a_delivery_of_ones_own_becomes_a_row(said: list[str]) -> None:
    *_, answer, address = said
    (event_id,) = json.loads(answer)["event_ids"]
    with psycopg.connect(address, autocommit=True) as connection:

        def rows() -> list[tuple[str, str]]:
            return connection.execute("SELECT user_id, event_id::text FROM sessions").fetchall()

        assert eventually(rows) == [("nora", event_id)]
