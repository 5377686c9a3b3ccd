"""The README's commands of the replays, run as they are written, and what they say."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from schemas.event import EventType
from tests.docs.source_tree import ROOT
from tests.docs.tables import README
from tests.events import made
from tests.eventually import PATIENCE_S
from tests.sink_rig import SinkRig

pytestmark = pytest.mark.integration
BLOCK = re.compile(r"<!-- replays -->\n```sh\n(.*?)```", re.DOTALL)
SAID = re.compile(r"<!-- replays say -->\n```text\n(.*?)```", re.DOTALL)
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


def test_the_commands_shown_say_what_is_shown(rig: SinkRig, admin: AdminClient, tmp_path: Path) -> None:
    program = tmp_path / "session-relay"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m session_relay.cli "$@"\n')
    program.chmod(0o755)
    for created in admin.create_topics([NewTopic("lab.events", 3, 1)]).values():
        created.result(PATIENCE_S)
    kinds = EventType.SESSION_STARTED, EventType.SESSION_COMPLETE
    rig.publish(made(session=f"night-{n}", user=f"u-{n}", kind=kind) for n in range(20) for kind in kinds)
    sink = rig.start()
    rig.wait_until_done(40)
    sink.terminate()
    assert sink.wait(30) == 0
    rig.query("UPDATE sessions SET timezone = 'Asia/Seoul' WHERE session_id = 'night-3'")
    rig.query("DELETE FROM sessions WHERE session_id = 'night-7'")
    (block,), (expected,) = BLOCK.findall(README.read_text("utf-8")), SAID.findall(README.read_text("utf-8"))
    path = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "-ec", block],
        cwd=tmp_path,
        env=rig.environment(**path),
        check=False,
        capture_output=True,
        text=True,
        timeout=150,
    )
    assert done.returncode == 0, done.stderr
    said = [TIME.sub("TIME", line) for line in done.stdout.splitlines()]
    first, last = (part.splitlines() for part in TIME.sub("TIME", expected).split("…\n"))
    assert said[: len(first)] == first
    assert said[-len(last) :] == last
    assert rig.query("SELECT count(*) FROM sessions WHERE timezone IS NULL") == [(20,)]
