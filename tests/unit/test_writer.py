"""Our one-pass writer and fastavro's write the same bytes."""

import io

import fastavro
import msgspec
import pytest
from hypothesis import given

from schemas.codec import encode
from schemas.event import SessionEvent
from schemas.versions import LATEST, plain
from schemas.writer import writer_of
from tests.valid_events import events

PARSED = plain(LATEST.text)


@given(events())
def test_whatever_the_event_the_bytes_are_fastavros(event: SessionEvent) -> None:
    fields = msgspec.structs.asdict(event)
    if event.statistics is not None:
        fields["statistics"] = msgspec.structs.asdict(event.statistics)
    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, PARSED, fields)
    assert encode(event)[5:] == buffer.getvalue()


def test_a_schema_with_a_type_that_has_no_writer_is_refused_at_once() -> None:
    with pytest.raises(ValueError, match="no writer"):
        writer_of({"type": "array", "items": "long"})
