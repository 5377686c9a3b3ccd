"""Where an archive lies: a folder, or a bucket that fsspec reaches. A file is there whole, or not at all."""

import errno
import fcntl
import hashlib
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, Final
from urllib.parse import urlsplit

import fsspec
from fsspec.implementations.local import LocalFileSystem

from config.errors import RelayError, SettingsError, Unavailable

UNFINISHED: Final = ".part"
"""How the name of a file ends that is still being written."""
_OURS: Final = re.compile(rf"(manifest\.json|partition=\d+/day=[\d-]+/\d+\.avro){re.escape(UNFINISHED)}")
"""Files of an archive that are still being written: others' may lie beside them."""
_LOCK: Final = ".lock"
_NO_ROOM: Final = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_OF_BUCKETS: Final = frozenset({"aiobotocore", "aiohttp", "azure", "botocore", "gcsfs", "google"})
"""Packages whose errors are no OSError."""
_BLOCK_BYTES: Final = 8 * 1024 * 1024
"""What a bucket is sent at once; its default is 50 MiB."""


class Place:
    """The files below one path.

    Args:
        path: A folder, or a URL such as `s3://bucket/folder`, whose credentials are its library's own affair.

    Raises:
        SettingsError: The library for such a URL is not installed, or it has a password in it.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        try:
            if urlsplit(path).password is not None:
                raise SettingsError("a password in a URL would be told: leave it to the library's own way")
            self._files, self._root = fsspec.core.url_to_fs(path)
        except (ImportError, ValueError) as error:
            raise SettingsError(
                f"{path} can't be reached: {error}; there are extras: s3, gcs, azure"
            ) from None
        self._is_folder = isinstance(self._files, LocalFileSystem)

    def read(self, name: str) -> bytes | None:
        """All of a small file; None if it is not there."""
        with file_errors(f"read {self.told(name)}"):
            try:
                return bytes(self._files.cat_file(self._at(name)))
            except FileNotFoundError:
                return None

    @contextmanager
    def opened(self, name: str) -> Iterator[IO[bytes]]:
        """A file to read from."""
        with file_errors(f"read {self.told(name)}"), self._files.open(self._at(name), "rb") as file:
            yield file

    def sizes(self) -> dict[str, int]:
        """Every file's size in bytes, by its name."""
        with file_errors(f"list {self.path}"):
            try:
                found = self._files.find(self._root, detail=True)
            except FileNotFoundError:
                return {}
        begin = len(self._root.rstrip("/")) + 1
        return {name[begin:]: int(entry["size"]) for name, entry in found.items()}

    def told(self, name: str) -> str:
        """A file's whole name, for people."""
        return f"{self.path.rstrip('/')}/{name}"

    def write(self, name: str, content: bytes) -> None:
        """Write a small file, or replace it."""
        draft = Draft(self, name)
        try:
            draft.write(content)
            draft.finish()
        except BaseException:
            draft.abandon()
            raise

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Be the only process that writes here, as far as a folder can tell; a bucket can't.

        Raises:
            RelayError: Another process is at it.
        """
        if not self._is_folder:
            yield
            return
        with file_errors(f"write to {self.path}"):
            self._files.makedirs(self._root, exist_ok=True)
            lock = os.open(self._at(_LOCK), os.O_CREAT | os.O_RDWR, 0o644)
        try:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise RelayError(f"another process writes to {self.path}") from None
            yield
        finally:
            os.close(lock)

    def sweep(self) -> None:
        """Remove what a run that was killed had begun; nobody else's files."""
        for name in self.sizes():
            if _OURS.fullmatch(name):
                with suppress(FileNotFoundError), file_errors(f"remove {self.told(name)}"):
                    self._files.rm_file(self._at(name))

    def _at(self, name: str) -> str:
        return f"{self._root.rstrip('/')}/{name}"


class Draft:
    """A file under a temporary name; it takes its own when it is whole and safe on the disk."""

    def __init__(self, place: Place, name: str) -> None:
        self._place, self._name = place, name
        self._files, self._final = place._files, place._at(name)  # noqa: SLF001 - two halves of one thing
        self._unfinished = self._final + UNFINISHED
        self._hash = hashlib.sha256()
        self.size_bytes = 0
        with file_errors(f"write {place.told(name)}"):
            self._files.makedirs(self._final.rpartition("/")[0], exist_ok=True)
            self._file: Any = self._files.open(self._unfinished, "wb", block_size=_BLOCK_BYTES)

    @property
    def sha256(self) -> str:
        """Of what was written so far, in hex."""
        return self._hash.hexdigest()

    def write(self, data: bytes) -> int:
        """Append."""
        self._hash.update(data)
        self.size_bytes += len(data)
        with file_errors(f"write {self._place.told(self._name)}"):
            self._file.write(data)
        return len(data)

    def flush(self) -> None:
        """As fastavro asks for; nothing has to be safe before the end."""

    def seekable(self) -> bool:
        """No: fastavro is to begin a file, not to go on with one."""
        return False

    def finish(self) -> None:
        """Make it safe, and give it its name."""
        with file_errors(f"write {self._place.told(self._name)}"):
            if self._place._is_folder:  # noqa: SLF001 - likewise
                self._file.flush()
                os.fsync(self._file.fileno())
                self._file.close()
                os.replace(self._unfinished, self._final)  # noqa: PTH105 - fsspec's names are strings
                _sync_folders(Path(self._final).parent, Path(self._place._root))  # noqa: SLF001 - likewise
            else:
                self._file.close()
                self._files.mv(self._unfinished, self._final)

    def abandon(self) -> None:
        """Leave nothing behind, as far as that can be done; harmless after `finish`."""
        with suppress(OSError):
            self._file.close()
        with suppress(OSError):
            self._files.rm_file(self._unfinished)


def _sync_folders(innermost: Path, root: Path) -> None:
    """Make a file's new name safe, and those of the folders that were made for it.

    Source: fsync(2), "an explicit fsync() on a file descriptor for the directory".
    """
    for path in (innermost, *innermost.parents):
        folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        if path == root:
            return


@contextmanager
def file_errors(doing: str) -> Iterator[None]:
    """Turn what files and buckets raise into errors for people.

    Raises:
        RelayError: No room, no right, no such file.
        Unavailable: A bucket does not answer.
    """
    try:
        yield
    except (ConnectionError, TimeoutError) as error:
        raise Unavailable(f"can't {doing}: {type(error).__name__}") from error
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise RelayError(f"can't {doing}: no room is left; what is in the manifest is safe") from error
        raise RelayError(f"can't {doing}: {error.strerror or error}") from error
    except Exception as error:
        of_bucket = type(error).__module__.partition(".")[0] in _OF_BUCKETS
        if not of_bucket and not isinstance(error, NotImplementedError):
            raise
        is_away = any(word in type(error).__name__ for word in ("Connect", "Timeout"))
        fate = Unavailable if is_away else RelayError
        raise fate(f"can't {doing}: {type(error).__name__}") from error
