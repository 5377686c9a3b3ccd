"""What a read of an archive hands out at once: so many records, and no more than memory is meant for."""

from pathlib import Path

from confluent_kafka import Message

from consumers.archive.container import Filling
from consumers.archive.place import Place
from consumers.archive.reading import ArchiveReading
from consumers.replay.order import Range

VALUE = bytes(2**20)


def test_large_records_are_read_32_mb_at_once(tmp_path: Path) -> None:
    place = Place(str(tmp_path))
    filling = Filling(place, 0, "2026-05-28", 0, None)
    for n in range(80):
        one = Message(
            topic="t", partition=0, offset=n, value=VALUE, headers=[], timestamp=(1, 1_780_000_000_000)
        )
        filling.add(n, one)
    piece = filling.finish()
    with ArchiveReading(place, [piece], {0: Range(0, 80)}, None) as reading:
        offsets = [[offset for _, _, offset, _ in reading.read(most)] for most in (10_000, 5, 10_000, 10_000)]
        assert reading.read(10_000) == []
    assert offsets == [list(range(32)), list(range(32, 37)), list(range(37, 69)), list(range(69, 80))]
