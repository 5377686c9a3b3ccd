"""Kafka's jars: resolved from Maven Central once, compared with pinned checksums at every start."""

import errno
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from xml.etree import ElementTree as ET

from config.embedded.download import Arrivals
from config.embedded.wheels import directory
from config.errors import RelayError, Unavailable

KAFKA_VERSION = "4.3.1"
NEEDED_BYTES = 300_000_000  # jars 46 MB, data of all services 100 MB, and some room to work in
UNFINISHED = "unfinished-"
"""How directories of a cache begin that whoever holds its lock works in."""


@dataclass(frozen=True)
class Release:
    """One version of Kafka, and the SHA-256 of each of its jars by file name."""

    version: str
    pins: Mapping[str, str]

    @property
    def coordinates(self) -> tuple[str, ...]:
        """What Maven Central is asked for.

        slf4j-simple and no other binding: log4j's brings a bill of materials that turns kafka-clients
        into 3.9.
        """
        return (f"org.apache.kafka:kafka_2.13:{self.version}", "org.slf4j:slf4j-simple:1.7.36")


def pinned() -> dict[str, str]:
    """The SHA-256 of every jar by file name, from `jars.json`."""
    pins: dict[str, str] = json.loads((files("config.embedded") / "jars.json").read_text("utf-8"))
    return pins


def resolve(cache: Path, say: Callable[[str], None], release: Release | None = None) -> Path:
    """Return the directory with all jars, downloaded on first use, each with the pinned checksum.

    Args:
        cache: Shared by any number of state directories; made when absent.
        say: Told what is going on, one line at a time, where there is no terminal for a progress bar.
        release: Another version of Kafka than ours.

    Raises:
        Unavailable: Maven Central can't be reached and the jars are not in the cache.
        RelayError: A jar differs from its pinned checksum, or the disk is full.
    """
    release = release or Release(KAFKA_VERSION, pinned())
    jars = cache / f"kafka-{release.version}"
    if not jars.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        check_space(cache, NEEDED_BYTES)
        with one_at_a_time(cache):
            if not jars.is_dir():
                _download(cache, jars, release, say)
    verify(jars, release.pins)
    return jars


def verify(jars: Path, pins: Mapping[str, str]) -> None:
    """Compare every jar of a directory with its pin.

    Raises:
        RelayError: Names the first jar that is missing, unknown or different.
    """
    found = {path.name: path for path in jars.glob("*.jar")}
    for name in sorted(found.keys() | pins.keys()):
        if name not in found:
            raise RelayError(f"{name} is missing from {jars}: delete that directory and start again.")
        if name not in pins:
            raise RelayError(
                f"{name} in {jars} is not one of Kafka's pinned jars: delete it and start again."
            )
        if _sha256(found[name]) != pins[name]:
            raise RelayError(
                f"{name} in {jars} is not the jar that was pinned (its SHA-256 differs): "
                "find out why, or delete that directory and start again."
            )


def check_space(path: Path, needed_bytes: int) -> None:
    """Refuse to begin where it would end with a full disk.

    Raises:
        RelayError: Fewer bytes are free than needed.
    """
    free_bytes = shutil.disk_usage(path).free
    if free_bytes < needed_bytes:
        raise RelayError(
            f"The disk of {path} has {free_bytes // 1_000_000} MB free; "
            f"{needed_bytes // 1_000_000} MB are needed."
        )


def _sha256(path: Path) -> str:
    with path.open("rb") as jar:
        return hashlib.file_digest(jar, "sha256").hexdigest()


@contextmanager
def one_at_a_time(cache: Path) -> Iterator[None]:
    """Two first starts with one cache: the second waits, then finds what the first has made.

    What one that was killed has left unfinished is removed.
    """
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for left in cache.glob(f"{UNFINISHED}*"):
            shutil.rmtree(left)
        yield


def _download(cache: Path, jars: Path, release: Release, say: Callable[[str], None]) -> None:
    directory("jgo")  # says how to install it where it is missing
    import requests  # noqa: PLC0415 - belongs to the extra `embedded`, and is needed by the first start only

    repository = cache / "maven"
    drop_broken(repository, release.pins)
    try:
        present = len(list(repository.rglob("*.jar")))
        with certificates(), Arrivals(jars=len(release.pins), present=present, say=say) as arrivals:
            paths = _fetch(repository, release.coordinates, arrivals)
        _publish(paths, cache, jars, release.pins)
    except (requests.RequestException, RuntimeError) as error:
        raise Unavailable(
            f"Kafka's jars could not be downloaded from Maven Central ({type(error).__name__}): "
            "the first start needs the network; what has arrived is kept."
        ) from error
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT}:
            raise RelayError(
                f"The disk of {cache} became full while Kafka's jars were downloaded."
            ) from error
        raise


def _fetch(repository: Path, coordinates: Sequence[str], arrivals: Arrivals) -> list[Path]:
    """Walk the POMs, then download the jars.

    Only jgo's resolver: its environment builder would fetch a whole JDK to sort jars into modules, which
    the class path doesn't need.
    """
    from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415 - slow, and not needed once cached
    from jgo.parse import Coordinate  # noqa: PLC0415 - likewise

    context = MavenContext(
        repo_cache=repository, resolver=PythonResolver(progress_callback=arrivals.file), timeout=30
    )
    wanted = [
        context.create_dependency(replace(Coordinate.parse(name), scope="compile")) for name in coordinates
    ]
    given, transitive = context.resolver.resolve(wanted)
    needed = [*given, *(one for one in transitive if one.scope in {"compile", "runtime"})]
    return [one.artifact.resolve() for one in needed]


def _publish(paths: list[Path], cache: Path, jars: Path, pins: Mapping[str, str]) -> None:
    """Make the directory appear whole: who is killed before leaves none."""
    with tempfile.TemporaryDirectory(dir=cache, prefix=UNFINISHED) as name:
        unfinished = Path(name) / "jars"
        unfinished.mkdir(mode=0o755)
        for path in paths:
            path.rename(unfinished / path.name)
        verify(unfinished, pins)
        unfinished.rename(jars)
    shutil.rmtree(cache / "maven")


def drop_broken(repository: Path, pins: Mapping[str, str]) -> None:
    """Remove what a killed download left half written: jgo takes any file that exists for whole."""
    for path in repository.rglob("*.*"):
        if path.suffix == ".jar" and _sha256(path) != pins.get(path.name):
            path.unlink()
        elif path.suffix == ".pom":
            try:
                ET.parse(path)  # noqa: S314 - only asks whether the file is whole; jgo reads it afterwards
            except ET.ParseError:
                path.unlink()


@contextmanager
def certificates() -> Iterator[None]:
    """Let `requests` trust what pip and OpenSSL were told to trust: it reads only its own variable."""
    bundle = os.environ.get("SSL_CERT_FILE") or os.environ.get("PIP_CERT")
    if not bundle or "REQUESTS_CA_BUNDLE" in os.environ or "CURL_CA_BUNDLE" in os.environ:
        yield
        return
    os.environ["REQUESTS_CA_BUNDLE"] = bundle
    try:
        yield
    finally:
        del os.environ["REQUESTS_CA_BUNDLE"]
