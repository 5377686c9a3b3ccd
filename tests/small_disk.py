"""A disk that is small enough to fill: only root may mount one."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

NEEDS_ROOT = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root may mount a disk that is small enough to fill"
)


@contextmanager
def small_disk(place: Path, size: str = "3m", owner: int = 0) -> Iterator[Path]:
    """Mount one at a place that is made here; it and all that it holds are gone after the block."""
    place.mkdir(parents=True)
    options = f"size={size},mode=700,uid={owner},gid={owner}"
    subprocess.run(["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)], check=True)
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)
        place.rmdir()


def fill(place: Path) -> Path:
    """Take all the room that is left, with one file; returns that file."""
    filler, room = place / "filler", os.statvfs(place)
    with filler.open("wb") as file:
        os.posix_fallocate(file.fileno(), 0, room.f_bavail * room.f_frsize)
    return filler
