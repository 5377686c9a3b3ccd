"""The log into files: partition by partition, each file noted in the manifest when it is safe.

A run that is killed has lost the file that it was at; the next one begins with the first offset that the
manifest does not have.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final, NamedTuple

from confluent_kafka import Message

from config.clock import Clock
from config.errors import StoppedForSafety
from consumers.archive.container import Filling
from consumers.archive.manifest import Manifest, Piece, save
from consumers.archive.place import Place
from consumers.replay.held import Held
from consumers.replay.order import Range, Ranges
from consumers.replay.reading import Reading
from schemas.event import MICROSECONDS
from schemas.reader import Read

_AT_ONCE: Final = 1_000
_MOST_BYTES: Final = 256 * 1024 * 1024
"""Of keys and values in one file, before they are deflated: so much is read again after a kill."""
_FIRST_DAY: Final = "1970-01-01"
Told = Callable[[int], None]
"""Told how many offsets were read since the last time."""


class Wanted(NamedTuple):
    """What is to be archived."""

    manifest: Manifest
    ranges: Ranges
    removed: Ranges
    """What retention has removed since the last run, before it was archived."""


def wanted(held: Held, earlier: Manifest | None) -> Wanted:
    """What the log has and the archive has not.

    Raises:
        StoppedForSafety: The archive is of another topic, of a former one of that name, or of a cut log.
    """
    manifest = earlier or Manifest(topic=held.topic, topic_id=held.topic_id)
    if manifest.topic != held.topic:
        raise StoppedForSafety(f"that archive is of the topic {manifest.topic}: choose another place")
    if manifest.topic_id != held.topic_id:
        raise StoppedForSafety(
            f"{held.topic} was recreated since that archive began: choose another place for the new one"
        )
    reach, ranges, removed = manifest.reach(), {}, {}
    for number, end in held.end.items():
        first = held.first[number]
        behind = reach[number].end if number in reach else first
        check_cut(number, behind, end)
        ranges[number] = Range(max(behind, first), end)
        if behind < first:
            removed[number] = Range(behind, first)
    return Wanted(manifest, ranges, removed)


def check_cut(number: int, behind: int, end: int) -> None:
    """Refuse an archive that has more than the log.

    Raises:
        StoppedForSafety: It has.
    """
    if behind > end:
        raise StoppedForSafety(
            f"the log of partition {number} ends at {end}, and the archive has it up to {behind}: it was "
            "cut, and its offsets mean other records now"
        )


class Archiving:
    """Writes what a reading hands out.

    Args:
        place: Where; this process is alone there.
        manifest: What is there already.
        clock: For the day that no record is later than.
        foreign: Finds the reader of a schema id that is not ours, where there is a registry.
        most_bytes: Of keys and values in one file.
    """

    def __init__(
        self,
        place: Place,
        manifest: Manifest,
        clock: Clock,
        foreign: Callable[[int], Read] | None,
        most_bytes: int = _MOST_BYTES,
    ) -> None:
        self._place, self.manifest, self._foreign = place, manifest, foreign
        self._most_bytes, self._clock = most_bytes, clock
        self._filling: Filling | None = None
        self._day = _FIRST_DAY

    def __call__(self, reading: Reading, ends: Mapping[int, int], told: Told) -> None:
        """Everything up to these ends; what is finished is safe, whatever happens.

        Raises:
            RelayError: There is no room, or retention has removed what was to be read next.
            Unavailable: Kafka, a registry or a bucket is away.
        """
        self._place.sweep()
        try:
            for number, end in sorted(ends.items()):
                pieces = self.manifest.by_partition().get(number)
                self._day = pieces[-1].day if pieces else _FIRST_DAY
                reading.extend({number: end})
                while records := reading.read(_AT_ONCE):
                    for partition, expected, offset, message in records:
                        self.take(partition, expected, offset, message)
                    told(len(records))
                self.finish()
        finally:
            if self._filling is not None:
                self._filling.abandon()

    def take(self, partition: int, expected: int, offset: int, message: Message) -> None:
        """Append a record to its file; `expected` is the offset behind the one before it."""
        self._day = max(self._day, self._day_of(message))
        filling = self._filling
        if filling is None or filling.day != self._day or filling.bytes_taken >= self._most_bytes:
            self.finish()
            filling = Filling(self._place, partition, self._day, expected, self._foreign)
            self._filling = filling
        filling.add(offset, message)

    def _day_of(self, message: Message) -> str:
        """The day that a record was published on, as it says itself; none after today."""
        kind, timestamp_ms = message.timestamp()
        if not kind or timestamp_ms <= 0:
            return _FIRST_DAY
        seconds = min(timestamp_ms // 1000, self._clock.now_us() // MICROSECONDS)
        return datetime.fromtimestamp(seconds, UTC).date().isoformat()

    def finish(self) -> None:
        """Make the file that is being written a part of the archive."""
        if self._filling is None:
            return
        piece: Piece = self._filling.finish()
        self._filling = None
        manifest = self.manifest.with_piece(piece)
        save(self._place, manifest)
        self.manifest = manifest
