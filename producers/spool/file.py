"""The spool's file: SQLite in WAL mode, every commit fsynced, events in the order in which they came.

What it holds are people's data: only its owner may read it. SQLite's own shell may look while it is in use:
locks tell it not to take the log away. They are the process's, and end when it closes any descriptor of the
file (sqlite.org/howtocorrupt.html, 2.2): so nothing but SQLite opens one that is there.
"""

import os
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Final, NamedTuple, Self

import msgspec

from producers.publish import Record

_FORMAT: Final = 1
_CACHE_KIB: Final = 8 * 1024
_WAL_KEPT_BYTES: Final = 16 * 1024 * 1024
_ROW_BYTES: Final = 64
"""About what a row takes besides its key, value and headers."""
_BUSY_S: Final = 10.0
_PROBE_BYTES: Final = 64 * 1024
_MAKE: Final = os.O_CREAT | os.O_EXCL | os.O_RDWR | os.O_CLOEXEC
_SIDE_FILES: Final = ("", "-wal", "-shm")
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS events (
  id INTEGER PRIMARY KEY, spooled_at INTEGER NOT NULL, size_bytes INTEGER NOT NULL,
  topic TEXT NOT NULL, headers BLOB NOT NULL, key BLOB, value BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS set_aside (
  id INTEGER PRIMARY KEY, reason TEXT NOT NULL, spooled_at INTEGER NOT NULL, size_bytes INTEGER NOT NULL,
  topic TEXT NOT NULL, headers BLOB NOT NULL, key BLOB, value BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS probe (filler BLOB) STRICT;
"""
_ROWS_AT_ONCE: Final = (256, 64, 16, 4, 1)
"""Rows of one statement: for each statement the interpreter's lock is let go and has to be waited for."""
_INSERTS: Final = {
    count: f"INSERT INTO events VALUES {', '.join(['(?, ?, ?, ?, ?, ?, ?)'] * count)}"  # noqa: S608 - our own text
    for count in _ROWS_AT_ONCE
}
_READ: Final = """
SELECT id, coalesce(CAST(spooled_at AS INTEGER), 0), coalesce(CAST(size_bytes AS INTEGER), 0),
  CAST(topic AS BLOB), CAST(headers AS BLOB), CAST(key AS BLOB), CAST(value AS BLOB)
FROM events WHERE id > ? ORDER BY id LIMIT ?"""
"""As bytes: a text that is not UTF-8 could not be read, nor could what stands behind it."""
_SET_ASIDE: Final = """
INSERT INTO set_aside (reason, spooled_at, size_bytes, topic, headers, key, value)
SELECT ?, coalesce(CAST(spooled_at AS INTEGER), 0), coalesce(CAST(size_bytes AS INTEGER), 0),
  coalesce(CAST(topic AS TEXT), ''), coalesce(CAST(headers AS BLOB), x''), CAST(key AS BLOB),
  coalesce(CAST(value AS BLOB), x'')
FROM events WHERE id = ?"""
"""As the columns want it, also what a flipped bit has made something else."""
_TAKE_BACK: Final = """
INSERT INTO events (spooled_at, size_bytes, topic, headers, key, value)
SELECT spooled_at, size_bytes, topic, headers, key, value FROM set_aside WHERE reason = ? ORDER BY id"""
_headers = msgspec.msgpack.Decoder(list[tuple[str, bytes]])
_NOTHING: Final = Record("", None, b"", [])


class Row(NamedTuple):
    """One spooled record; ids rise in the order of arrival."""

    id: int
    spooled_at_us: int
    size_bytes: int
    record: Record
    is_damaged: bool = False
    """Whether no record can be read from it; the one that it has then is nothing to publish."""


class SetAside(NamedTuple):
    """A row that Kafka refuses for good, or that is damaged."""

    id: int
    reason: str


@dataclass(frozen=True, slots=True)
class Held:
    """What a file holds."""

    events: int
    size_bytes: int
    """Of everything in it, what was set aside included."""
    set_aside: int
    last_id: int
    oldest_us: int | None


def size_bytes(record: Record) -> int:
    """About the room that a record takes in the file."""
    headers = sum(len(name) + len(value) for name, value in record.headers)
    return len(record.key or b"") + len(record.value) + headers + _ROW_BYTES


class SpoolFile:
    """One connection to one file, for one thread at a time.

    Args:
        path: The file; made when absent.

    Raises:
        sqlite3.Error: From here and every method: the disk is full or broken, or this is no spool.
    """

    def __init__(self, path: Path) -> None:
        with suppress(FileExistsError):
            os.close(os.open(path, _MAKE, 0o600))  # its side files get these rights
        self._db = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        try:
            self._prepare()
        except BaseException:
            self._db.close()
            raise

    def __enter__(self) -> Self:
        """Close it at the end."""
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def held(self) -> Held:
        """Count what is in the file."""
        events, size, last, oldest = self._db.execute(
            "SELECT count(*), total(size_bytes), max(id), min(CAST(spooled_at AS INTEGER)) FROM events"
        ).fetchone()
        aside, aside_size = self._db.execute("SELECT count(*), total(size_bytes) FROM set_aside").fetchone()
        return Held(events, int(size + aside_size), aside, last or 0, oldest)

    def write(
        self, rows: Iterable[Row], aside: Sequence[SetAside] = (), forget_through: int = 0
    ) -> tuple[int, int]:
        """Append rows, set some aside, and delete those up to an id, all in one fsynced transaction.

        Returns:
            How many rows were deleted, and the bytes that they took; what is set aside stays.
        """
        db = self._db
        with self._transaction():
            self._insert([_values(row) for row in rows])
            for one in aside:
                db.execute(_SET_ASIDE, (one.reason, one.id))
            deleted = freed = 0
            if forget_through:
                where = "FROM events WHERE id <= ?"
                (freed,) = db.execute(f"SELECT total(size_bytes) {where}", (forget_through,)).fetchone()
                for one in aside:
                    freed -= self._size_of(one.id)
                deleted = db.execute(f"DELETE {where}", (forget_through,)).rowcount
        return deleted, int(freed)

    def read(self, after: int, most_rows: int, most_bytes: int) -> list[Row]:
        """The next rows after an id, oldest first; at least one if there is any."""
        rows: list[Row] = []
        read_bytes = 0
        for id_, spooled_at, size, *stored in self._db.execute(_READ, (after, most_rows)):
            record = _record(*stored)
            rows.append(Row(id_, spooled_at, size, record or _NOTHING, record is None))
            read_bytes += size
            if read_bytes >= most_bytes:
                break
        return rows

    def take_back(self, reasons: Iterable[str]) -> None:
        """Queue again, behind the rest, what was set aside for one of these reasons."""
        with self._transaction():
            for reason in reasons:
                if self._db.execute(_TAKE_BACK, (reason,)).rowcount:
                    self._db.execute("DELETE FROM set_aside WHERE reason = ?", (reason,))

    def reasons(self) -> dict[str, int]:
        """How many events were set aside, by the name of Kafka's error, or `DAMAGED`."""
        return dict(
            self._db.execute("SELECT reason, count(*) FROM set_aside GROUP BY reason ORDER BY reason")
        )

    def probe(self) -> None:
        """Find out whether the disk takes as much as an event may need, by writing it."""
        self._db.execute("INSERT INTO probe VALUES (zeroblob(?))", (_PROBE_BYTES,))
        self._db.execute("DELETE FROM probe")

    def tidy(self) -> None:
        """Give the room of deleted rows back to the disk; quick when few rows are left."""
        self._db.execute("VACUUM")
        self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close the connection; the last one also empties the log into the file."""
        self._db.close()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _insert(self, values: list[Sequence[object]]) -> None:
        begin = 0
        for count in _ROWS_AT_ONCE:
            while len(values) - begin >= count:
                self._db.execute(_INSERTS[count], list(chain(*values[begin : begin + count])))
                begin += count

    def _size_of(self, id_: int) -> int:
        found = self._db.execute("SELECT total(size_bytes) FROM events WHERE id = ?", (id_,)).fetchone()
        return int(found[0])

    def _prepare(self) -> None:
        db = self._db
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(
            "PRAGMA synchronous = FULL"
        )  # in WAL mode: every commit is fsynced (sqlite.org/pragma.html)
        db.execute(f"PRAGMA journal_size_limit = {_WAL_KEPT_BYTES}")
        db.execute("PRAGMA temp_store = MEMORY")  # people's data go to no other file
        db.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        (found,) = db.execute("PRAGMA user_version").fetchone()
        if found == 0:
            db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {_FORMAT}; COMMIT")
        elif found != _FORMAT:
            raise sqlite3.DatabaseError(f"format {found} is not known to this version")


def remove(path: Path) -> None:
    """Delete a file and what SQLite keeps beside it; only once nothing in it is needed."""
    for suffix in _SIDE_FILES:
        path.with_name(path.name + suffix).unlink(missing_ok=True)


def _record(
    topic: bytes | None, headers: bytes | None, key: bytes | None, value: bytes | None
) -> Record | None:
    """What was written; None if that can't be read, whatever has happened to it."""
    if topic is None or b"\0" in topic or headers is None or value is None:
        return None
    try:
        return Record(topic.decode(), key, value, _headers.decode(headers))
    except (UnicodeDecodeError, msgspec.MsgspecError):
        return None


def _values(row: Row) -> Sequence[object]:
    topic, key, value, headers = row.record
    return row.id, row.spooled_at_us, row.size_bytes, topic, msgspec.msgpack.encode(headers), key, value
