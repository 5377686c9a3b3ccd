"""Child processes that can't outlive their parent, and processes known by more than their number."""

import ctypes
import errno
import os
import signal
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from config.errors import Unavailable

STOP_WITHIN_S = 10.0  # three brokers stopped at once: the last has lost its quorum and waits in vain
_TAIL_BYTES: Final = 2_000
_PR_SET_PDEATHSIG: Final = 1  # linux/prctl.h
_libc = ctypes.CDLL(None, use_errno=True)
_ENVIRONMENT: Final = {"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "TZ": "UTC"}


class Identity(msgspec.Struct, frozen=True):
    """One process: a number that was reused has another start time."""

    pid: int
    started: str
    """Boot and clock ticks since that boot, from /proc (proc_pid_stat(5), field 22)."""

    def is_alive(self) -> bool:
        """Whether this very process runs; a zombie doesn't."""
        return identify(self.pid) == self


def identify(pid: int) -> Identity | None:
    """Look a process up; None when there is none, or only its remains."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
    except (FileNotFoundError, ProcessLookupError):
        return None
    gone = (
        fields[0] in {"Z", "X"} and int(fields[17]) <= 1
    )  # a dead first thread says nothing about the others
    return None if gone else Identity(pid, f"{boot}:{fields[19]}")


@dataclass(frozen=True, kw_only=True)
class Launch:
    """How one program is run.

    The environment is our own, not the user's: a stray JAVA_TOOL_OPTIONS or LC_ALL must not matter.
    """

    name: str
    args: list[str]
    cwd: Path
    log: Path
    uid: int | None = None
    """User and group to become; None stays who we are."""
    death_signal: signal.Signals = signal.SIGKILL
    """Sent by the kernel when the parent dies."""


class PortTaken(Unavailable):
    """A program that could not listen, as another had taken its port."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(problem)
        self.name = name


class Child(NamedTuple):
    """A program that was started here."""

    launch: Launch
    process: subprocess.Popen[bytes]
    log_from_bytes: int
    """Where its log began to be this run's."""

    def failure(self) -> Unavailable:
        """The error to raise when it ended and should not have, with the tail of its log."""
        path, status = self.launch.log, self.process.returncode
        told = tail(path, self.log_from_bytes)
        problem = f"{self.launch.name} ended at its start with status {status}; {path} ends:\n{told}"
        taken = os.strerror(errno.EADDRINUSE) in told
        return PortTaken(self.launch.name, problem) if taken else Unavailable(problem)


def tail(path: Path, from_bytes: int) -> str:
    """The end of a log, and nothing of what it held before."""
    with path.open("rb") as log:
        log.seek(max(from_bytes, path.stat().st_size - _TAIL_BYTES))
        return log.read().decode("utf-8", "replace").strip()


def spawn(launch: Launch) -> Child:
    """Start a child that gets its death signal should this process die, however it dies.

    The signal is tied to the calling thread, so that must be one that lives as long as the process.
    """
    parent = os.getpid()

    def die_with_parent() -> None:  # after the change of user, which would clear the setting
        _libc.prctl(_PR_SET_PDEATHSIG, int(launch.death_signal), 0, 0, 0)
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # what a shell puts into the background ignores it
        if os.getppid() != parent:  # it died before the setting was made
            os._exit(1)

    launch.log.parent.mkdir(parents=True, exist_ok=True)
    with launch.log.open("ab") as log:
        log_from_bytes = log.tell()
        process = subprocess.Popen(
            launch.args,
            cwd=launch.cwd,
            env=_ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C in a terminal reaches the owner alone, which stops us in order
            preexec_fn=die_with_parent,  # noqa: PLW1509 - nothing else can set it after the change of user
            user=launch.uid,
            group=launch.uid,
            extra_groups=None if launch.uid is None else (),
        )
    return Child(launch, process, log_from_bytes)


def run(launch: Launch, timeout_s: float = 60) -> None:
    """Run a program to its end.

    Raises:
        Unavailable: It failed; the message has the end of its log.
    """
    child = spawn(launch)
    if child.process.wait(timeout_s) != 0:
        raise child.failure()


def end(processes: list[Identity], within_s: float = STOP_WITHIN_S) -> None:
    """End processes in order, all at once; those that don't in time are killed with their own.

    SIGINT is the word that all three know: Postgres' fast shutdown, Kafka's and Redis' orderly one.
    """
    for identity in processes:
        _signal(identity, signal.SIGINT)
        _signal(identity, signal.SIGCONT)  # a frozen one would never hear of it
    deadline_s = time.monotonic() + within_s
    while any(identity.is_alive() for identity in processes) and time.monotonic() < deadline_s:
        time.sleep(0.02)
    for identity in processes:
        kill(identity)


def kill(identity: Identity) -> None:
    """`kill -9` of a process and its descendants: Postgres' backends would finish their statement first."""
    if not identity.is_alive():
        return
    family = [identity, *(one for one in map(identify, _descendants(identity.pid)) if one)]
    for one in family:
        _signal(one, signal.SIGKILL)
    while any(one.is_alive() for one in family):
        time.sleep(0.005)  # the kernel is at it: SIGKILL can't be refused


def _descendants(pid: int) -> list[int]:
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    except (FileNotFoundError, ProcessLookupError):
        return []
    return [found for child in map(int, children) for found in (child, *_descendants(child))]


def _signal(identity: Identity, number: signal.Signals) -> None:
    if identity.is_alive():
        with suppress(ProcessLookupError):  # it ended in between, as was wanted
            os.kill(identity.pid, number)
