"""Our generated reader and fastavro read the same records from the same bytes."""

import io

import fastavro
import pytest
from hypothesis import given

from schemas.codec import encode
from schemas.event import SessionEvent
from schemas.reader import Malformed, reader_of
from schemas.versions import LATEST, plain
from tests.valid_events import events


def record_of(schema: object) -> dict[str, object]:
    return {"type": "record", "name": "R", "fields": [{"name": "m", "type": schema}]}


PARSED = plain(LATEST.text)
MAP = record_of({"type": "map", "values": "long"})


@given(events())
def test_whatever_the_event_it_is_read_as_fastavro_reads_it(event: SessionEvent) -> None:
    body = encode(event)[5:]
    told = fastavro.schemaless_reader(io.BytesIO(body), PARSED, None)
    assert LATEST.read(body, 0) == (told, len(body))


def test_maps_of_several_blocks_are_read_with_and_without_their_sizes() -> None:
    read = reader_of(MAP)
    assert read(b"\x02\x02a\x02\x02\x02b\x04\x00", 0) == ({"m": {"a": 1, "b": 2}}, 9)
    assert read(b"\x01\x06\x02a\x02\x00", 0) == ({"m": {"a": 1}}, 6)


def test_a_key_that_comes_twice_is_refused() -> None:
    read = reader_of(MAP)
    with pytest.raises(Malformed):
        read(b"\x04\x02a\x02\x02a\x04\x00", 0)


def test_a_schema_with_a_type_that_has_no_reader_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="no reader"):
        reader_of(record_of({"type": "array", "items": "long"}))
