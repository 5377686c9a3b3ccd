"""Embedded services for everybody else: `with EmbeddedServices.running(path) as services: ...`."""

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal, Self

from config.embedded import jars, quick_start
from config.embedded.link import Link
from config.embedded.owner import Request
from config.embedded.processes import STOP_WITHIN_S, end
from config.embedded.state import end_leftovers, load
from config.embedded.status import Addresses, Status, status
from config.errors import RelayError, Unavailable

__all__ = [
    "Addresses",
    "EmbeddedServices",
    "Mode",
    "Status",
    "default_state_dir",
    "prepare",
    "start_detached",
    "status",
    "stop",
    "tell",
]

FOUND_WITHIN_S: Final = 90.0
START_NEEDS_BYTES: Final = 100_000_000  # data of all services that holds nothing yet
Mode = Literal["fast", "kill"]


def tell(line: str) -> None:
    """Print a line on standard error."""
    sys.stderr.write(f"{line}\n")


def default_state_dir() -> Path:
    """`SESSION_RELAY_HOME`, or `.session-relay` in the working directory."""
    return Path(os.environ.get("SESSION_RELAY_HOME") or ".session-relay")


class EmbeddedServices:
    """Real Kafka, Postgres and Redis that run now; made by `running`."""

    def __init__(self, state_dir: Path, link: Link | None) -> None:
        self._state_dir = state_dir
        self._link = link
        self.addresses = self._status().addresses

    @classmethod
    @contextmanager
    def running(
        cls,
        state_dir: Path,
        brokers: int | None = None,
        say: Callable[[str], None] = tell,
        *,
        sustained: bool = False,
    ) -> Iterator[Self]:
        """Use the services of a state directory: those that run already, or else started and ended here.

        Should this process die, however it dies, what it started ends too.

        Args:
            state_dir: Holds data, logs and ports; made when absent. Its data is there again the next time.
            brokers: 1 or 3; by default what the directory has, or 1.
            say: Told what people should know, a line at a time.
            sustained: Kafka will carry load for long: one broker starts later then, and does more.

        Raises:
            Unavailable: No network at the first start, or a service that did not start.
            RelayError: Anything else that a person must mend.
        """
        state_dir = _prepared(state_dir)
        link = _start(state_dir, brokers, say, sustained=sustained)
        try:
            yield cls(state_dir, link)
        finally:
            if link:
                link.close()

    @property
    def pids(self) -> dict[str, int]:
        """Process ids by name: kafka-1, postgres, redis; without those that have ended."""
        return self._status().pids

    def stop(self, name: str, mode: Mode = "fast") -> None:
        """Stop one service, in order or by `kill -9`; its port and data stay its own.

        Raises:
            RelayError: These services were started by somebody else.
        """
        self._request(Request("stop", name, kill=mode == "kill"))

    def start(self, name: str) -> None:
        """Start a stopped service again, and wait until it can be used.

        Raises:
            RelayError: It runs, or these services were started by somebody else.
        """
        self._request(Request("start", name))

    def _request(self, request: Request) -> None:
        if self._link is None:
            raise RelayError(f"The services of {self._state_dir} were started by another process.")
        self._link.request(request)

    def _status(self) -> Status:
        found = status(self._state_dir)
        if found is None:
            raise Unavailable(f"The services of {self._state_dir} have ended.")
        return found


def start_detached(state_dir: Path, brokers: int | None = None, say: Callable[[str], None] = tell) -> Status:
    """Start services that outlive this process, one broker for whatever load, or find those that run.

    Raises:
        RelayError: As `EmbeddedServices.running`.
    """
    state_dir = _prepared(state_dir)
    link = _start(state_dir, brokers, say, sustained=True)
    if link:
        link.detach()
    found = status(state_dir)
    if found is None:
        raise Unavailable(f"The services of {state_dir} ended at once; see {state_dir / 'keeper.log'}.")
    return found


def prepare(state_dir: Path, say: Callable[[str], None] = tell) -> Path:
    """Fetch and make what any start needs, so that it needs no network and Kafka is ready sooner.

    Returns:
        The cache that holds it all.

    Raises:
        Unavailable: No network, or Kafka did not start.
        RelayError: A jar differs from its pinned checksum, or the disk is full.
    """
    cache = _cache(_prepared(state_dir))
    quick_start.prepare(jars.resolve(cache, say), say)
    return cache


def stop(state_dir: Path, say: Callable[[str], None] = tell) -> bool:
    """End the services of a state directory, whoever started them; False when none ran."""
    state = load(state_dir)
    if state is None:
        return False
    if state.keeper is None or not state.keeper.is_alive():
        end_leftovers(state, say)
        return False
    try:
        end([state.keeper], within_s=STOP_WITHIN_S + 20)  # it ends its services first
    except PermissionError as error:
        raise RelayError(f"The services of {state_dir} belong to another user.") from error
    return True


def _prepared(state_dir: Path) -> Path:
    try:
        state_dir.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RelayError(f"The state directory {state_dir} can't be made: {error.strerror}.") from error
    state_dir = state_dir.resolve()
    if not os.access(state_dir, os.W_OK | os.X_OK):
        raise RelayError(f"The state directory {state_dir} can't be written by this user.")
    return state_dir


def _cache(state_dir: Path) -> Path:
    return Path(os.environ.get("SESSION_RELAY_CACHE") or state_dir / "cache").absolute()


def _start(
    state_dir: Path, brokers: int | None, say: Callable[[str], None], *, sustained: bool
) -> Link | None:
    """Return the link to a keeper started here, or None where the services run already."""
    deadline_s = time.monotonic() + FOUND_WITHIN_S
    while time.monotonic() < deadline_s:
        state = load(state_dir)
        wanted = brokers or (state.brokers if state else 1)
        if state is None or state.keeper is None or not state.keeper.is_alive():
            link = _launch(state_dir, wanted, say, sustained=sustained)
            if link:
                return link
        elif state.brokers != wanted:
            raise RelayError(
                f"{state_dir} runs {state.brokers} Kafka brokers, not {wanted}: stop them first."
            )
        elif state.ready:
            if (found := status(state_dir)) is not None and found.missing:
                raise Unavailable(
                    f"{state_dir}: {' and '.join(found.missing)} ended: stop the services first."
                )
            return None
        time.sleep(0.05)  # another process starts them now, or is about to have ended them
    raise Unavailable(
        f"The services of {state_dir} are neither ready nor gone; see {state_dir / 'keeper.log'}."
    )


def _launch(state_dir: Path, brokers: int, say: Callable[[str], None], *, sustained: bool) -> Link | None:
    if brokers not in {1, 3}:
        raise RelayError(f"Embedded Kafka has 1 broker or 3, not {brokers}.")
    jars.check_space(state_dir, START_NEEDS_BYTES)
    link = Link(state_dir, brokers, jars.resolve(_cache(state_dir), say), say, sustained=sustained)
    try:
        if link.wait_ready():
            return link
    except BaseException:  # Ctrl-C too: nothing half started is left
        link.close()
        raise
    link.close()
    return None
