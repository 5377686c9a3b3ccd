"""What a state directory remembers: ports and data between runs, processes during one."""

import fcntl
import os
import secrets
import socket
from collections.abc import Callable, Collection
from pathlib import Path

import msgspec

from config.embedded.processes import Identity, end
from config.errors import RelayError

# Below Linux' usual range of outgoing ports (32768 up): no client's socket sits on one
_LOWEST_PORT, _HIGHEST_PORT = 20_000, 32_000


class State(msgspec.Struct, kw_only=True):
    """The contents of `state.json`; only the keeper that holds the lock writes it."""

    brokers: int
    cluster_id: str
    directory: str = ""
    """Where the file was when it was written."""
    postgres_dir: str = ""
    """Where Postgres' files are: below the state directory, or the system's temporary one."""
    ports: dict[str, int] = {}
    versions: dict[str, str] = {}
    keeper: Identity | None = None
    services: dict[str, Identity] = {}
    ready: bool = False


def load(state_dir: Path) -> State | None:
    """Read what is remembered; None for a directory that never ran.

    Of a directory that was copied the ports and the data are its own; what runs is the original's.

    Raises:
        RelayError: The file can't be read.
    """
    path = state_dir / "state.json"
    try:
        return _here(msgspec.json.decode(path.read_bytes(), type=State), state_dir.resolve())
    except FileNotFoundError:
        return None
    except (msgspec.MsgspecError, OSError) as error:
        raise RelayError(
            f"{path} can't be read ({error}): mend its rights, or delete {state_dir}."
        ) from error


def save(state_dir: Path, state: State) -> None:
    """Replace the file as a whole, so that no reader sees half of it."""
    state.directory = str(state_dir.resolve())
    text = msgspec.json.format(msgspec.json.encode(state), indent=2)
    unfinished = state_dir / "state.json.new"
    unfinished.write_bytes(text + b"\n")
    unfinished.rename(state_dir / "state.json")


def _here(state: State, state_dir: Path) -> State:
    was = Path(state.directory or state_dir)
    if was == state_dir:
        return state
    inside = Path(state.postgres_dir).is_relative_to(was)
    if inside:
        state.postgres_dir = str(state_dir / Path(state.postgres_dir).relative_to(was))
    if was.exists():  # a copy, or else it has been moved
        state.services, state.ready, state.keeper = {}, False, None
        state.postgres_dir = state.postgres_dir if inside else ""
    return state


def take_lock(state_dir: Path) -> int | None:
    """Take the directory for as long as this process lives; None when another keeper has it."""
    descriptor = os.open(state_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def end_leftovers(state: State, say: Callable[[str], None]) -> None:
    """End services whose keeper was killed, should the kernel have left any."""
    left = {name: identity for name, identity in state.services.items() if identity.is_alive()}
    if left:
        say(f"ending what a killed run left: {', '.join(left)}")
        end(list(left.values()))


def choose_ports(state: State, names: list[str], say: Callable[[str], None]) -> None:
    """Give every name a free port of 127.0.0.1: the remembered one where nobody has taken it."""
    for name in names:
        remembered = state.ports.get(name)
        if remembered is not None and is_free(remembered):
            continue
        state.ports[name] = free_port(state.ports.values())
        if remembered is not None:
            say(f"port {remembered} is taken by another program: {name} moves to {state.ports[name]}")


def is_free(port: int) -> bool:
    """Whether a server could listen there now."""
    with socket.socket() as probe:
        probe.setsockopt(
            socket.SOL_SOCKET, socket.SO_REUSEADDR, 1
        )  # as servers do: old connections don't count
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def free_port(given: Collection[int] = ()) -> int:
    """Draw a port of 127.0.0.1 that is not given away yet, below those that the kernel lends to clients.

    Raises:
        RelayError: There is none.
    """
    for _ in range(1_000):
        port = _LOWEST_PORT + secrets.randbelow(_HIGHEST_PORT - _LOWEST_PORT)
        if port not in given and is_free(port):
            return port
    raise RelayError(f"No free port found between {_LOWEST_PORT} and {_HIGHEST_PORT} on 127.0.0.1.")
