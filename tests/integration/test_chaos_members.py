"""Whoever ends unasked is started again, and told of; whoever was killed or asked to end is not."""

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chaos.members import Crew, Member
from tests.eventually import eventually

PATIENT = """
import signal
signal.signal(signal.SIGTERM, lambda *_: exit(0))
print("here", flush=True)
signal.pause()
"""
Launch = Callable[[], tuple["subprocess.Popen[bytes]", Path]]


def launcher(log: Path, *programs: str) -> Launch:
    """Runs the programs one after the other, the last one again and again."""
    left = list(programs)

    def launch() -> tuple["subprocess.Popen[bytes]", Path]:
        program = left.pop(0) if len(left) > 1 else left[0]
        with log.open("wb") as output:
            return subprocess.Popen([sys.executable, "-c", program], stdout=output, stderr=output), log

    return launch


def is_ready(member: Member, before: int) -> bool:
    return member.process.pid != before and member.log.read_bytes() != b""


@pytest.mark.parametrize(("pardoned", "problems"), [("", 1), ("CRC32", 0)])
def test_who_ends_by_itself_is_told_of_unless_pardoned(tmp_path: Path, pardoned: str, problems: int) -> None:
    member = Member("one", launcher(tmp_path / "log", "print('CRC32'); raise SystemExit(1)", PATIENT))
    member.pardoned = pardoned
    first = member.process.pid
    with Crew() as crew:
        crew.members.append(member)
        eventually(lambda: is_ready(member, first))
        assert len(member.problems) == problems
        member.kill(hold=True)


def test_who_is_killed_comes_again_and_who_is_held_does_not(tmp_path: Path) -> None:
    member = Member("one", launcher(tmp_path / "log", PATIENT))
    first = member.process.pid
    with Crew() as crew:
        crew.members.append(member)
        member.kill()
        eventually(lambda: is_ready(member, first))
        member.signal(signal.SIGSTOP)
        member.terminate(hold=True)
    member.look()
    assert member.process.returncode == 0
    assert member.problems == []
