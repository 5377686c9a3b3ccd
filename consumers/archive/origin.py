"""An archive read as if it were the topic, and the topic itself from where the archive ends."""

from collections.abc import Callable, Iterable, Iterator, Mapping

from config.errors import SettingsError
from config.sections import KafkaSettings
from consumers.archive.archiving import check_cut
from consumers.archive.checking import altered, sizes_wrong
from consumers.archive.manifest import Manifest, Piece, found
from consumers.archive.place import Place
from consumers.archive.reading import ArchiveReading, opened, refuse
from consumers.replay.held import NO_END, Held, Logs
from consumers.replay.order import Range, Ranges
from consumers.replay.reading import Reading


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

    def reading(self, ranges: Ranges) -> ArchiveReading:
        """Read these offsets, files first."""
        tail = None if self.log is None else self._tail
        return ArchiveReading(self.place, self.manifest.files, ranges, tail)

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
        first = {} if self.log is None else self.log.first
        begins = {n: max(range_.begin, first.get(n, range_.begin)) for n, range_ in ranges.items()}
        rest = {n: Range(begins[n], max(begins[n], range_.end)) for n, range_ in ranges.items()}
        return Reading(self._kafka, self.manifest.topic, rest)


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
