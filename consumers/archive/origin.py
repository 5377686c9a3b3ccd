"""An archive read as if it were the topic, and the topic itself from where the archive ends."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from itertools import islice
from typing import IO, Any, Final, Self, cast

from config.errors import SettingsError, StoppedForSafety
from config.sections import KafkaSettings
from consumers.archive.archiving import check_cut
from consumers.archive.checking import Problem, altered, sizes_wrong
from consumers.archive.container import Archived, Damaged, records_of
from consumers.archive.manifest import Manifest, Piece, found
from consumers.archive.place import Place, file_errors
from consumers.consumer import Record
from consumers.replay.held import NO_END, Held, Logs
from consumers.replay.order import Range, Ranges
from consumers.replay.reading import Reading

_MOST_TOLD: Final = 5
_Opened = tuple[Piece, AbstractContextManager[Iterator[Archived]], Iterator[Archived]]


class ArchiveOrigin:
    """Where records come from: files, then the log if it is the one that was archived.

    Args:
        kafka: Where the cluster is.
        path: Where the archive is.

    Raises:
        SettingsError: There is no archive.
        StoppedForSafety: The log was cut since.
        KafkaUnavailable: Whether the topic still is can't be found out.
    """

    def __init__(self, kafka: KafkaSettings, path: str) -> None:
        self._kafka, self.place = kafka, Place(path)
        self.manifest = found(self.place)
        self._logs = Logs(kafka)
        try:
            log: Held | None = self._logs.held(self.manifest.topic)
        except SettingsError:
            log = None
        self.log = log if log is not None and log.topic_id == self.manifest.topic_id else None
        """The topic, if it is still the one that was archived."""
        self.held = _held(self.manifest, self.log)

    def reading(self, ranges: Ranges) -> "ArchiveReading":
        """Read these offsets, files first."""
        return ArchiveReading(self, ranges, self._tail)

    def at_time(self, time_ms: int) -> Mapping[int, int]:
        """By partition, the first offset of that time or a later one; the end where there is none."""
        later = {} if self.log is None else self._logs.at_time(self.log, time_ms)
        told = {}
        for number, end in self.held.end.items():
            pieces = self.manifest.by_partition().get(number, ())
            at = next(self._since(pieces, time_ms), None)
            told[number] = later.get(number, end) if at is None else at
        return told

    def check(self, ranges: Ranges, *, whole: bool, told: Callable[[int], None]) -> None:
        """Refuse damaged files, before anything is written.

        Args:
            ranges: What is to be read.
            whole: Whether to read all of them, or only to look at their sizes.
            told: Told how many records were looked at since the last time.

        Raises:
            StoppedForSafety: One is missing, truncated or altered.
        """
        pieces = [piece for piece in self.manifest.files if _meets(piece, ranges)]
        wrong = altered(self.place, pieces, told) if whole else sizes_wrong(self.place, pieces)
        refuse(self.place, wrong)

    def _since(self, pieces: Iterable[Piece], time_ms: int) -> Iterator[int]:
        for piece in pieces:
            if piece.latest_ms is not None and piece.latest_ms >= time_ms:
                with opened(self.place, piece) as records:
                    for record in records:
                        kind, timestamp_ms = record.timestamp()
                        if kind and timestamp_ms >= time_ms:
                            yield record.offset()

    def _tail(self, ranges: Ranges) -> Reading:
        if self.log is None:
            raise StoppedForSafety(
                f"{self.manifest.topic} is gone, or was recreated: the archive has nothing behind its end"
            )
        first = self.log.first
        begins = {n: max(range_.begin, first.get(n, range_.begin)) for n, range_ in ranges.items()}
        rest = {n: Range(begins[n], max(begins[n], range_.end)) for n, range_ in ranges.items()}
        return Reading(self._kafka, self.manifest.topic, rest)


def refuse(place: Place, wrong: Iterable[Problem]) -> None:
    """Refuse an archive that has problems.

    Raises:
        StoppedForSafety: It has; some are named.
    """
    if problems := list(islice(wrong, _MOST_TOLD)):
        told = "; ".join(f"{place.told(path)} {problem}" for path, problem in problems)
        raise StoppedForSafety(f"the archive is damaged: {told}; `session-relay archive verify` tells all")


def _by_day(piece: Piece) -> tuple[str, int, int]:
    return piece.day, piece.partition, piece.begin


def _meets(piece: Piece, ranges: Ranges) -> bool:
    range_ = ranges.get(piece.partition)
    return range_ is not None and piece.begin < range_.end and range_.begin < piece.end


def _held(manifest: Manifest, log: Held | None) -> Held:
    reach = manifest.reach()
    covered = [(piece.partition, piece.begin, piece.end) for piece in manifest.files]
    first = {number: range_.begin for number, range_ in reach.items()}
    end = {number: range_.end for number, range_ in reach.items()}
    for number, log_end in ({} if log is None else log.end).items():
        behind, log_first = end.get(number, 0), log.first[number] if log else 0
        check_cut(number, behind, log_end)
        first.setdefault(number, log_first)
        end[number] = log_end
        covered.append((number, max(behind, log_first), NO_END))
    kept = {number: range_.end for number, range_ in reach.items()}
    return Held(
        topic=manifest.topic,
        topic_id=manifest.topic_id,
        first=first,
        end=end,
        kept=kept,
        alive=log is not None,
        spans=tuple(covered),
    )


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


class ArchiveReading:
    """Some partitions, each from its next offset to its end: day by day out of files, then from the log.

    Args:
        origin: The archive.
        ranges: Which offsets.
        tail: Begins to read the log.
    """

    def __init__(self, origin: ArchiveOrigin, ranges: Ranges, tail: Callable[[Ranges], Reading]) -> None:
        self._place, self._tail = origin.place, tail
        self.next: dict[int, int] = {number: range_.begin for number, range_ in ranges.items()}
        """The next offset of each partition: all before it was handed out."""
        self.ends: dict[int, int] = {number: range_.end for number, range_ in ranges.items()}
        self._pieces = sorted(origin.manifest.files, key=_by_day)
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
        """The next records, each partition's in order; empty only when all is done.

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
            for record in records:
                if record.offset() >= self.ends[number]:
                    break
                if record.offset() >= self.next[number]:
                    message = cast("Any", record)  # it answers whatever is asked of a Message
                    taken.append((number, self.next[number], record.offset(), message))
                    self.next[number] = record.offset() + 1
                if len(taken) == most:
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
        if not any(range_.begin < range_.end for range_ in rest.values()):
            return []
        if self._log is None:
            self._log = self._tail(rest)
        self._log.extend(self.ends)
        records: list[Record] = []
        for number, expected, offset, message in self._log.read(most):
            # what is neither in the archive nor in the log is a hole before the first record of this
            records.append((number, min(expected, self.next[number]), offset, message))
            self.next[number] = offset + 1
        if not records:
            self.next.update({n: max(at, self.ends[n]) for n, at in self.next.items()})
        return records
