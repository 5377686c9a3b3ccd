"""Which users are finished, in a file: so that a run which was interrupted goes on where it ended.

A line for each user, with the SHA-256 of source and user in place of the user. A line that was cut short
counts for nothing. It may be lost or thrown away at any time: the same sessions are the same events.

Who was listed before the last of the days was over may have had a session since: such a line ends with the
day on which that was, and counts on that day alone.
"""

import fcntl
import hashlib
import os
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Final, Self

from config.clock import Clock
from config.errors import SettingsError
from producers.backfill.asleep import Days
from schemas.event import MICROSECONDS

_FORM: Final = "session-relay backfill 1"


def today(clock: Clock) -> date:
    """The day that it is, in UTC."""
    return datetime.fromtimestamp(clock.now_us() / MICROSECONDS, UTC).date()


class Finished:
    """The file of one run, locked: two runs at once would only do the same work twice.

    Args:
        path: Where it is; it and its directory are made, for this user alone.
        source: Name of the source.
        days: What is fetched of each user; others make the file useless.
        now: The day that it is, in UTC.

    Raises:
        SettingsError: It can't be written, belongs to another run, or another process works with it.
    """

    def __init__(self, path: Path, source: str, days: Days, now: date) -> None:
        self._path, self._source, self._last = path, source, days.last
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            self._file = os.fdopen(descriptor, "r+", encoding="ascii", errors="replace", newline="\n")
        except OSError as error:
            raise SettingsError(f"{path}: can't be written: {error.strerror}") from error
        try:
            told = self._read(f"{_FORM} {source} {days.first} {days.last}\n")
            lines = (line.partition(" ") for line in told)
            self._known = {digest for digest, _, day in lines if day in {"", str(now)}}
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        """Open already."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let others have it."""
        self._file.close()

    def __contains__(self, user_id: str) -> bool:
        """Whether a user is finished."""
        return self._digest(user_id) in self._known

    def add(self, user_id: str, listed_on: date) -> None:
        """Note that a user is finished: all that they had on that day, in UTC, is in Kafka."""
        digest = self._digest(user_id)
        self._known.add(digest)
        self._file.write(f"{digest}\n" if listed_on > self._last else f"{digest} {listed_on}\n")
        self._file.flush()

    def remove(self) -> None:
        """Throw the file away: all is done, and the next run is to look at everything again."""
        self._path.unlink(missing_ok=True)

    def _read(self, head: str) -> set[str]:
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise SettingsError(f"{self._path}: another backfill works with it") from None
        told = self._file.read()
        if not told or (not told.endswith("\n") and head.startswith(told)):
            self._file.seek(0)
            self._file.truncate()
            self._file.write(head)
            self._file.flush()
            return set()
        if not told.startswith(head):
            raise SettingsError(f"{self._path}: is not of a backfill of this source and these days")
        whole = told[: told.rindex("\n") + 1]
        self._file.seek(len(whole))
        self._file.truncate()
        return set(whole.splitlines()[1:])

    def _digest(self, user_id: str) -> str:
        return hashlib.sha256(f"{self._source}\0{user_id}".encode()).hexdigest()
