"""Bento itself: built once from its Go module, and run as a process that ends with this one."""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from benchmarks.relay import Server, free_port, wait_listening
from benchmarks.stand import Place, Stand
from config.embedded.processes import Child, Launch, identify, kill, spawn
from config.embedded.services import default_state_dir
from config.errors import RelayError, Unavailable
from session_relay.simulate.sender import Credentials

VERSION: Final = "1.19.0"
_HERE: Final = Path(__file__).parent
_SOURCES: Final = ("go.mod", "main.go")
_BUILD_S: Final = 1_800


def built() -> Path:
    """The program, built into the cache by the Go on this machine if it is not there; takes minutes.

    Raises:
        Unavailable: There is no Go, or it could not build it: no network, perhaps.
    """
    parts = hashlib.sha256(b"".join((_HERE / name).read_bytes() for name in _SOURCES)).hexdigest()[:8]
    place = (default_state_dir() / "cache" / f"bento-{VERSION}-{parts}").absolute()
    program = place / "bento"
    if program.exists():
        return program
    go = shutil.which("go")
    if go is None:
        raise Unavailable(
            "Bento is built from its Go module, which needs Go 1.24 or newer: https://go.dev/dl"
        )
    place.mkdir(parents=True, exist_ok=True)
    for name in _SOURCES:
        shutil.copy(_HERE / name, place)
    # checksums are those of Go's own database; mod: the list of them is written here
    args = [go, "build", "-mod=mod", "-o", f"{program}.part", "."]
    done = subprocess.run(args, cwd=place, capture_output=True, text=True, check=False, timeout=_BUILD_S)
    if done.returncode:
        raise Unavailable(f"Bento could not be built: {done.stderr.strip()[-1_000:]}")
    os.replace(f"{program}.part", program)  # noqa: PTH105 - a whole one, or none
    return program


@contextmanager
def bento(stand: Stand, place: Place, credentials: Credentials, script: Path, name: str) -> Iterator[Server]:
    """Bento by one of the settings beside this file, `ordinary` or `alike`.

    Raises:
        RelayError: It did not start.
    """
    port = free_port()
    told = {
        "PORT": port,
        "KAFKA": place.kafka.bootstrap_servers,
        "TOPIC": place.kafka.events_topic,
        "API_KEY": credentials.api_key,
        "SIGNING_KEY": credentials.signing_key,
    }
    with running(stand, name, told) as child:
        try:
            wait_listening(child, port)
            yield Server(child.process.pid, f"http://127.0.0.1:{port}/webhooks/asleep", script)
        except RelayError as error:
            raise Unavailable(f"{error} See {child.launch.log}.") from error


@contextmanager
def running(stand: Stand, name: str, told: Mapping[str, object]) -> Iterator[Child]:
    """Bento as a process by one of the settings beside this file, killed at the end.

    Args:
        stand: Where its log goes, and what it is told.
        name: Of the settings.
        told: What they name as `${NAME}`.
    """
    variables = stand.directory / f"bento-{name}.env"
    variables.touch(mode=0o600)
    variables.write_text("".join(f"{key}={value}\n" for key, value in told.items()), "utf-8")
    child = spawn(
        Launch(
            name=f"bento-{name}",
            args=[str(built()), "-e", str(variables), "-c", str(_HERE / f"{name}.yaml")],
            cwd=stand.directory,
            log=stand.directory / f"bento-{name}.log",
        )
    )
    try:
        yield child
    finally:
        if identity := identify(child.process.pid):
            kill(identity)
        child.process.wait()
