"""Which file a process spools to: the first in the directory that no living process has locked.

So a restarted relay takes up what its predecessor left, and of several each has one of its own. The lock
is on a file beside it, of the open file's own kind (fcntl(2), F_OFD_SETLK): the kernel lets go of it
however the owner ends, and it can be looked at without being taken.
"""

import fcntl
import os
import struct
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Final, Self

from config.errors import RelayError, SettingsError

_WHOLE_FILE: Final = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
"""`struct flock` of 64-bit Linux."""


_SQLITE: Final = b"SQLite format 3\0"
"""What such a file begins with (sqlite.org/fileformat2.html, 1.3.1), but for one that is still empty."""
FILES: Final = "relay-*.db"
"""What a directory's spool files are called."""


class SpoolInUse(RelayError):
    """A living process has the file."""


@dataclass(frozen=True, slots=True)
class Place:
    """A spool file that is ours until `release`."""

    path: Path
    _lock: int

    @classmethod
    def first_free(cls, directory: Path) -> Self:
        """Lock the first file that nobody has, made with its directory where absent.

        Raises:
            SettingsError: The directory can't be used.
        """
        try:
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            for number in count():
                path = directory / f"relay-{number}.db"
                if (lock := _take(path)) is not None:
                    return cls(path, lock)
        except OSError as error:
            raise SettingsError(f"RELAY__SPOOL_DIR: {directory} can't be used: {error.strerror}") from error
        raise AssertionError  # the count has no end

    @classmethod
    def of(cls, path: Path) -> Self:
        """Lock one file that is there.

        Raises:
            SettingsError: There is no such file, it can't be opened, or it is another one.
            SpoolInUse: Its owner lives.
        """
        try:
            if not path.is_file():
                raise SettingsError(f"there is no spool file {path}")
            # before a lock file is left beside somebody's thesis, and before SQLite has locks of its own here
            with path.open("rb") as file:
                if not _SQLITE.startswith(file.read(len(_SQLITE))):
                    raise SettingsError(f"{path} is no spool file")
            lock = _take(path)
        except OSError as error:
            raise SettingsError(f"{path} can't be used: {error.strerror}") from error
        if lock is None:
            raise SpoolInUse(f"{path} belongs to a relay that runs; it drains it by itself")
        return cls(path, lock)

    def release(self) -> None:
        """Let others have it."""
        os.close(self._lock)


def is_taken(path: Path) -> bool:
    """Whether a living process has the file; leaves no trace.

    Raises:
        OSError: Its lock can't be looked at.
    """
    try:
        descriptor = os.open(_lock_of(path), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        (kind,) = struct.unpack_from("h", fcntl.fcntl(descriptor, fcntl.F_OFD_GETLK, _WHOLE_FILE))
        return bool(kind != fcntl.F_UNLCK)
    finally:
        os.close(descriptor)


def _take(path: Path) -> int | None:
    descriptor = os.open(_lock_of(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.fcntl(descriptor, fcntl.F_OFD_SETLK, _WHOLE_FILE)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def _lock_of(path: Path) -> Path:
    return path.with_suffix(".lock")
