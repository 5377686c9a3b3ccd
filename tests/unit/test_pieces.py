"""A batch cut in pieces holds the same records and covers the same offsets."""

import random

import pytest

from config.errors import Poison
from consumers.batch import Batch, Read, Skipped, Span, Unstorable
from consumers.pieces import Pace, pieces_of
from tests.events import made
from tests.reads import read


def random_batch(chance: random.Random) -> Batch:
    """Partitions with holes, among them holes before the first and behind the last record."""
    batch = Batch()
    for partition in range(chance.randrange(1, 4)):
        begin = chance.randrange(50)
        offsets = sorted(chance.sample(range(begin, begin + 60), chance.randrange(1, 30)))
        for offset in offsets:
            if chance.random() < 0.1:
                batch.skipped.append(Skipped(partition, offset))
            elif chance.random() < 0.2:
                batch.poison.append(Unstorable(partition, offset, None, None, [], Poison("x", "y")))
            else:
                batch.reads.append(read(made(session=str(offset)), offset, partition))
        batch.spans[partition] = Span(begin, offsets[-1] + 1 + chance.randrange(2), len(offsets))
    chance.shuffle(batch.reads)
    return batch


def places(batch: Batch) -> list[tuple[int, int]]:
    records: list[Read | Unstorable | Skipped] = [*batch.reads, *batch.poison, *batch.skipped]
    return [(record.partition, record.offset) for record in records]


@pytest.mark.parametrize("seed", range(30))
def test_pieces_hold_each_record_once_and_leave_no_offset_out(seed: int) -> None:
    chance = random.Random(seed)
    batch, most = random_batch(chance), chance.randrange(1, 20)
    pieces = pieces_of(batch, most)
    assert all(1 <= piece.rows <= most for piece in pieces)
    assert sorted(place for piece in pieces for place in places(piece)) == sorted(places(batch))
    for partition, span in batch.spans.items():
        spans = [piece.spans[partition] for piece in pieces if partition in piece.spans]
        assert [one.begin for one in spans] == [span.begin, *(one.end for one in spans[:-1])]
        assert spans[-1].end == span.end
        assert sum(one.records for one in spans) == span.records
    for piece in pieces:
        for partition, offset in places(piece):
            assert piece.spans[partition].begin <= offset < piece.spans[partition].end


def test_a_batch_that_fits_is_left_as_it_is() -> None:
    batch = random_batch(random.Random(1))
    assert pieces_of(batch, batch.rows) == [batch]
    assert pieces_of(batch, batch.rows)[0] is batch


def test_a_time_out_halves_and_eight_pieces_that_go_well_double() -> None:
    pace = Pace(100)
    batch = Batch(spans={0: Span(0, 100, 100)}, reads=[read(made(), n) for n in range(100)])
    sizes = []
    pace.took_too_long(100)
    pace.took_too_long(50)
    for _ in range(20):
        sizes.append(pace.cut(batch)[0].rows)
        pace.went_well()
    assert sizes == [25] * 8 + [50] * 8 + [100] * 4
    pace.took_too_long(1)
    assert pace.cut(batch)[0].rows == 1
