"""Our generated reader and fastavro read the same records from the same bytes."""

import io
import itertools
from collections.abc import Iterator
from typing import Any, Final

import fastavro
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.codec import encode
from schemas.event import SessionEvent
from schemas.reader import Malformed, reader_of
from schemas.versions import LATEST, plain
from tests.valid_events import events


def record_of(schema: object) -> dict[str, object]:
    return {"type": "record", "name": "R", "fields": [{"name": "m", "type": schema}]}


PARSED = plain(LATEST.text)
VALUES: Final[dict[str, st.SearchStrategy[Any]]] = {
    "null": st.none(),
    "boolean": st.booleans(),
    "int": st.integers(-(2**31), 2**31 - 1),
    "long": st.integers(-(2**63), 2**63 - 1),
    "float": st.floats(width=32, allow_nan=False),
    "double": st.floats(allow_nan=False),
    "bytes": st.binary(),
    "string": st.text(),
}
PLAIN = [*sorted(VALUES), "enum", "fixed"]
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


def takes_bytes(schema: Any) -> bool:
    if isinstance(schema, dict) and schema["type"] == "record":
        return any(takes_bytes(field["type"]) for field in schema["fields"])
    return bool(schema != "null")


@st.composite
def fields(draw: st.DrawFn, names: Iterator[int], depth: int = 3) -> tuple[Any, Any]:  # noqa: PLR0911 - one a kind
    """A type that nothing refers to twice, and a value of it."""
    inner = fields(names, depth - 1)
    match draw(st.sampled_from(PLAIN + (["map", "array", "record", "union"] if depth else []))):
        case "map":
            values, value = draw(inner)
            return {"type": "map", "values": values}, draw(st.dictionaries(st.text(), st.just(value)))
        case "array":
            items, value = draw(inner.filter(lambda drawn: takes_bytes(drawn[0])))
            return {"type": "array", "items": items}, [value] * draw(st.integers(0, 3))
        case "record":
            told = {f"f{next(names)}": draw(inner) for _ in range(draw(st.integers(1, 3)))}
            made = [{"name": name, "type": schema} for name, (schema, _) in told.items()]
            record = {"type": "record", "name": f"R{next(names)}", "fields": made}
            return record, {name: value for name, (_, value) in told.items()}
        case "union":
            branches = draw(st.lists(st.sampled_from(sorted(VALUES)), min_size=1, max_size=4, unique=True))
            return branches, draw(VALUES[draw(st.sampled_from(branches))])
        case "enum":
            enum = {"type": "enum", "name": f"E{next(names)}", "symbols": ["A", "B", "C"]}
            return enum, draw(st.sampled_from("ABC"))
        case "fixed":
            size = draw(st.integers(1, 5))
            value = draw(st.binary(min_size=size, max_size=size))
            return {"type": "fixed", "name": f"F{next(names)}", "size": size}, value
        case plain_type:
            return plain_type, draw(VALUES[plain_type])


@given(st.data())
def test_any_type_is_read_as_fastavro_reads_it(data: st.DataObject) -> None:
    schema, value = data.draw(fields(itertools.count()))
    body = io.BytesIO()
    parsed = fastavro.parse_schema(record_of(schema))
    fastavro.schemaless_writer(body, parsed, {"m": value})
    told = fastavro.schemaless_reader(io.BytesIO(body.getvalue()), parsed, None)
    assert reader_of(parsed)(body.getvalue(), 0) == (told, len(body.getvalue()))


def test_one_type_may_be_used_again_by_its_name() -> None:
    twice = {
        "type": "record",
        "name": "Pair",
        "fields": [
            {"name": "one", "type": {"type": "enum", "name": "Side", "symbols": ["LEFT", "RIGHT"]}},
            {"name": "other", "type": "Side"},
        ],
    }
    assert reader_of(record_of(twice))(b"\x02\x00", 0) == ({"m": {"one": "RIGHT", "other": "LEFT"}}, 2)


TAG = {"type": "fixed", "name": "Tag", "size": 4}
MANY = b"\xfe\xff\xff\xff\x0f"
"""2^31 - 1, as a varint in zigzag."""


@pytest.mark.parametrize(
    ("schema", "body"),
    [
        ("boolean", b"\x02"),
        (["null", "long", "string"], b"\x06"),
        ({"type": "array", "items": "long"}, b"\x04\x02"),
        ({"type": "array", "items": TAG}, MANY),
        ({"type": "array", "items": record_of(TAG) | {"name": "Inner"}}, MANY + b"abcd"),
        ({"type": "array", "items": ["null"]}, MANY),
        (TAG, b"abc"),
    ],
)
def test_what_no_writer_writes_is_malformed(schema: object, body: bytes) -> None:
    with pytest.raises((Malformed, IndexError)):
        reader_of(record_of(schema))(body, 0)


NOTHING = [
    "null",
    record_of("null") | {"name": "Inner"},
    {"type": "fixed", "name": "F", "size": 0},
    {"type": "record", "name": "Inner", "fields": []},
]


@pytest.mark.parametrize("items", NOTHING)
def test_an_array_of_which_a_few_bytes_tell_billions_is_refused_at_once(items: object) -> None:
    with pytest.raises(ValueError, match="takes no bytes"):
        reader_of(record_of({"type": "array", "items": items}))


def test_an_array_of_a_type_by_its_name_is_read() -> None:
    side = {"type": "enum", "name": "Side", "symbols": ["LEFT", "RIGHT"]}
    both = [{"name": "one", "type": side}, {"name": "more", "type": {"type": "array", "items": "Side"}}]
    read = reader_of({"type": "record", "name": "R", "fields": both})
    assert read(b"\x00\x04\x02\x00\x00", 0) == ({"one": "LEFT", "more": ["RIGHT", "LEFT"]}, 5)
