"""Records out of an archive's files, day by day, and then from the log behind them."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from itertools import islice
from typing import IO, Any, Final, Self, cast

from config.errors import StoppedForSafety
from consumers.archive.checking import Problem
from consumers.archive.container import Archived, Damaged, records_of
from consumers.archive.manifest import Piece
from consumers.archive.place import Place, file_errors
from consumers.consumer import Record
from consumers.replay.order import Range, Ranges
from consumers.replay.reading import Reading

_MOST_TOLD: Final = 5
_BYTES_AT_ONCE: Final = 32 * 2**20
"""Of values: a read ends with the record that reaches it."""
_Opened = tuple[Piece, AbstractContextManager[Iterator[Archived]], Iterator[Archived]]


def refuse(place: Place, wrong: Iterable[Problem]) -> None:
    """Refuse an archive that has problems.

    Raises:
        StoppedForSafety: It has; some are named.
    """
    if problems := list(islice(wrong, _MOST_TOLD)):
        told = "; ".join(f"{place.told(path)} {problem}" for path, problem in problems)
        raise StoppedForSafety(f"the archive is damaged: {told}; `session-relay archive verify` tells all")


@contextmanager
def opened(place: Place, piece: Piece) -> Iterator[Iterator[Archived]]:
    """A file's records, one after the other; damage is told with its name."""
    with place.opened(piece.path) as file:
        yield _told(place, piece, file)


def _told(place: Place, piece: Piece, file: IO[bytes]) -> Iterator[Archived]:
    try:
        with file_errors(f"read {place.told(piece.path)}"):
            yield from records_of(file, piece.partition)
    except Damaged as error:
        refuse(place, [Problem(piece.path, str(error))])


def _by_day(piece: Piece) -> tuple[str, int, int]:
    return piece.day, piece.partition, piece.begin


class ArchiveReading:
    """Some partitions, each from its next offset to its end: day by day out of files, then from the log.

    Args:
        place: Where the files are.
        pieces: All of them.
        ranges: Which offsets.
        tail: Begins to read the log; None if it is gone.
    """

    def __init__(
        self, place: Place, pieces: Iterable[Piece], ranges: Ranges, tail: Callable[[Ranges], Reading] | None
    ) -> None:
        self._place, self._tail = place, tail
        self.next: dict[int, int] = {number: range_.begin for number, range_ in ranges.items()}
        """The next offset of each partition: all before it was handed out."""
        self.ends: dict[int, int] = {number: range_.end for number, range_ in ranges.items()}
        self._pieces = sorted(pieces, key=_by_day)
        self._opened: _Opened | None = None
        self._log: Reading | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()
        if self._log is not None:
            self._log.__exit__()

    @property
    def left(self) -> int:
        """How many offsets are still to come."""
        return sum(max(0, self.ends[number] - at) for number, at in self.next.items())

    def extend(self, ends: Mapping[int, int]) -> None:
        """Go on to these ends, where they lie behind the former ones."""
        for number, end in ends.items():
            self.next.setdefault(number, end)
            self.ends[number] = max(end, self.ends.get(number, end))

    def read(self, most: int) -> list[Record]:
        """The next records, each partition's in order, and about 32 MB; empty only when all is done.

        Raises:
            StoppedForSafety: A file is damaged, or the log behind the archive is gone.
            KafkaUnavailable: Kafka was silent for too long.
        """
        return self._from_files(most) or self._from_log(most)

    def _from_files(self, most: int) -> list[Record]:
        while (current := self._opened or self._open_next()) is not None:
            piece, _, records = current
            number = piece.partition
            taken: list[Record] = []
            taken_bytes = 0
            for record in records:
                if record.offset() >= self.ends[number]:
                    break
                if record.offset() >= self.next[number]:
                    message = cast("Any", record)  # it answers whatever is asked of a Message
                    taken.append((number, self.next[number], record.offset(), message))
                    taken_bytes += len(record.value() or b"")
                    self.next[number] = record.offset() + 1
                if len(taken) == most or taken_bytes >= _BYTES_AT_ONCE:
                    return taken
            self.next[number] = max(self.next[number], min(piece.end, self.ends[number]))
            self._close()
            if taken:
                return taken
        return []

    def _open_next(self) -> _Opened | None:
        for piece in self._pieces:
            number = piece.partition
            behind = min(piece.end, self.ends.get(number, 0))
            if piece.begin < behind and self.next[number] < behind:
                file = opened(self._place, piece)
                self._opened = piece, file, file.__enter__()
                return self._opened
        return None

    def _close(self) -> None:
        if self._opened is not None:
            self._opened[1].__exit__(None, None, None)
            self._opened = None

    def _from_log(self, most: int) -> list[Record]:
        rest = {n: Range(at, self.ends[n]) for n, at in self.next.items()}
        is_left = any(range_.begin < range_.end for range_ in rest.values())
        if is_left and self._tail is None:
            raise StoppedForSafety("the topic is gone, or was recreated: nothing is behind the archive's end")
        if self._log is None and self._tail is not None:
            self._log = self._tail(rest)  # even if nothing is left: more may come when there is no time
        if not is_left or self._log is None:
            return []
        self._log.extend(self.ends)
        records: list[Record] = []
        for number, expected, offset, message in self._log.read(most):
            # what is neither in the archive nor in the log is a hole before the first record of this
            records.append((number, min(expected, self.next[number]), offset, message))
            self.next[number] = offset + 1
        if not records:
            self.next.update({n: max(at, self.ends[n]) for n, at in self.next.items()})
        return records
