"""Nothing that a sink waits for at its end can keep it for ever, not even with Python's lock."""

import subprocess
import sys

from config.errors import ExitCode

PROGRAM = """
import ctypes, os, signal, sys, time
from consumers.ending import Ending

ending = Ending(0.5)
ending.by_signals()
os.kill(os.getpid(), signal.SIGTERM)
assert ending.stop.is_set()
{body}
"""
KEEPS_THE_LOCK = "ctypes.PyDLL(None).sleep(60)"


def run(body: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", PROGRAM.format(body=body)]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_what_never_returns_is_told_and_ended() -> None:
    ended = run(KEEPS_THE_LOCK)
    assert ended.returncode == ExitCode.FAILED
    assert "Timeout (0:00:01.5" in ended.stderr
    assert 'File "<string>", line 9 in <module>' in ended.stderr


def test_an_end_in_time_is_not_watched_any_more() -> None:
    ended = run("ending.begin(); ending.done(); time.sleep(2)")
    assert (ended.returncode, ended.stderr) == (ExitCode.DONE, "")
