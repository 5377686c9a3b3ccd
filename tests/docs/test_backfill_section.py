"""The README's commands of the backfill, run as they are written."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from config.embedded.services import EmbeddedServices
from tests.docs.source_tree import ROOT
from tests.docs.tables import README
from tests.fake_asleep import FakeAsleep
from tests.relay_process import records

pytestmark = pytest.mark.integration
BLOCK = re.compile(r"<!-- backfill -->\n```sh\n(.*?)```", re.DOTALL)


def test_the_commands_shown_bring_what_was_missed(
    services: EmbeddedServices, topic: str, tmp_path: Path
) -> None:
    program = tmp_path / "session-relay"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m session_relay.cli "$@"\n')
    program.chmod(0o755)
    (block,) = BLOCK.findall(README.read_text("utf-8"))
    kafka = services.addresses.kafka_bootstrap_servers
    fake = FakeAsleep(users=2, nights=30, key="the-key-of-your-account")
    with fake.serving():
        subprocess.run(
            ["bash", "-ec", block],
            cwd=tmp_path,
            env=os.environ
            | {
                "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
                "PYTHONPATH": str(ROOT),
                "ASLEEP_BASE_URL": fake.url,
                "KAFKA__BOOTSTRAP_SERVERS": kafka,
                "KAFKA__EVENTS_TOPIC": topic,
                "METRICS__BACKFILL_PORT": "0",
                "BACKFILL__RATE_PER_S": "200",
            },
            check=True,
            timeout=60,
        )
    assert len(records(kafka, topic)) == 2 * 30
    assert len(fake.asked) == 2 * 2 * 31
    assert (tmp_path / "failed.txt").read_text() == ""
