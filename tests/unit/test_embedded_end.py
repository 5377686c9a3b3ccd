"""Services end in order also where their starter was put into the background, and so ignores SIGINT."""

import signal
from pathlib import Path

from config.embedded.processes import Launch, end, identify, spawn
from tests.eventually import PATIENCE_S


def test_a_child_hears_of_its_end_though_its_parent_ignores_sigint(tmp_path: Path) -> None:
    former = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        child = spawn(Launch(name="sleep", args=["sleep", "60"], cwd=tmp_path, log=tmp_path / "log"))
    finally:
        signal.signal(signal.SIGINT, former)
    identity = identify(child.process.pid)
    assert identity is not None
    end([identity])
    assert child.process.wait(PATIENCE_S) == -signal.SIGINT
