"""How a program ends: with its own status, all said, and no exit handler of C's run."""

import subprocess
import sys
from pathlib import Path
from textwrap import indent

import pytest

from tests.docs.source_tree import ROOT
from tests.eventually import PATIENCE_S

NEVER_TAKEN_APART = (
    "import ctypes, os, sys, threading, time\n"
    "from session_relay.process_end import ended_at_once\n"
    "libc = ctypes.CDLL(None)\n"
    "libc.on_exit(ctypes.cast(libc.pause, ctypes.c_void_p), None)\n"
)
"""A process that is taken apart after all waits for ever."""


def run(code: str, stdout: int = subprocess.PIPE) -> subprocess.CompletedProcess[str]:
    block = "with ended_at_once():\n" + indent(code, "    ")
    return subprocess.run(
        [sys.executable, "-c", NEVER_TAKEN_APART + block],
        cwd=ROOT,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=PATIENCE_S,
    )


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("pass", 0, ""),
        ("sys.exit()", 0, ""),
        ("sys.exit(4)", 4, ""),
        ("sys.stdout.close()", 0, ""),
        ("sys.exit('no')", 1, "no"),
        ("raise ValueError('odd')", 1, "ValueError: odd"),
    ],
)
def test_a_block_ends_the_process_with_its_status(code: str, status: int, error: str) -> None:
    ended = run(f"print('said', end='')\n{code}")
    assert (ended.returncode, ended.stdout) == (status, "said")
    assert error in ended.stderr
    assert ended.stderr or not error


def test_who_registered_and_threads_that_are_no_daemons_are_served_before() -> None:
    ended = run(
        "import atexit\n"
        "atexit.register(print, 'registered')\n"
        "threading.Thread(target=lambda: (time.sleep(0.2), print('thread'))).start()\n"
        "threading.Thread(target=libc.pause, daemon=True).start()",
    )
    assert (ended.returncode, ended.stdout) == (0, "thread\nregistered\n")


def test_output_that_could_not_be_written_is_a_failure() -> None:
    with Path("/dev/full").open("w") as full:
        assert run("print('said', end='')", stdout=full.fileno()).returncode == 1
