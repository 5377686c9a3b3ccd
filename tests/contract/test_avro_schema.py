"""The schema as others see it: ordinary Avro tools read what we write, and released files never change."""

import itertools
import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from importlib.resources import files
from io import BytesIO
from typing import Any

import fastavro
import msgspec
import pytest
from hypothesis import given, settings

from schemas.codec import decode, encode
from schemas.event import MAX_TIME_US, MIN_TIME_US, EventType, SessionEvent, Statistics
from schemas.versions import BY_SCHEMA_ID, LATEST, PINNED_IDS, VERSIONS
from tests.crafted import ADDED, EVENT, record_of
from tests.valid_events import events

FRAME_SIZE = 5
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
NOT_OURS = ("string", "long", "int", "bytes", "double", "null")


def parsed(number: int) -> Any:
    """The released file, as any Avro tool would parse it."""
    return fastavro.parse_schema(json.loads(VERSIONS[number].text))


def read_elsewhere(value: bytes, writer: int, reader: int | None = None) -> dict[str, Any]:
    """Read a record as an ordinary consumer does, logical types included."""
    body = BytesIO(value[FRAME_SIZE:])
    told: Any = fastavro.schemaless_reader(body, parsed(writer), parsed(reader) if reader else None)
    assert body.read() == b""
    return dict(told)


def as_read_elsewhere(event: SessionEvent) -> dict[str, Any]:
    """What an ordinary reader makes of an event."""
    told = msgspec.structs.asdict(event)
    for name in ("occurred_at", "received_at", "session_start_time", "session_end_time"):
        if told[name] is not None:
            told[name] = EPOCH + timedelta(microseconds=told[name])
    if event.statistics is not None:
        told["statistics"] = msgspec.structs.asdict(event.statistics)
    return told


@settings(max_examples=50)
@given(event=events())
def test_an_ordinary_reader_sees_the_same_event(event: SessionEvent) -> None:
    assert read_elsewhere(encode(event), LATEST.number) == as_read_elsewhere(event)


@pytest.mark.parametrize("time_us", [MIN_TIME_US, -1, 0, MAX_TIME_US])
def test_the_ends_of_time_are_exact(time_us: int) -> None:
    event = msgspec.structs.replace(EVENT, occurred_at=time_us)
    told = read_elsewhere(encode(event), LATEST.number)["occurred_at"]
    assert told == EPOCH + timedelta(microseconds=time_us)


def test_a_record_can_also_be_written_by_an_ordinary_writer() -> None:
    buffer = BytesIO()
    fastavro.schemaless_writer(buffer, parsed(LATEST.number), as_read_elsewhere(EVENT), strict=True)
    assert buffer.getvalue() == encode(EVENT)[FRAME_SIZE:]


def test_released_files_are_never_edited() -> None:
    """A change is a new file with a new id: topics hold records of the old one for months."""
    pinned = json.loads((files("schemas") / "ids.json").read_text("utf-8"))
    room = files("schemas") / "session_event"
    assert {f"{number}.avsc" for number in pinned} == {file.name for file in room.iterdir()}
    for number, entry in pinned.items():
        assert sha256((room / f"{number}.avsc").read_bytes()).hexdigest() == entry["sha256"]


def test_ids_are_ours_and_go_up_with_the_versions() -> None:
    numbers = sorted(VERSIONS)
    ids = [VERSIONS[number].schema_id for number in numbers]
    assert numbers == list(range(1, len(numbers) + 1))
    assert ids == [PINNED_IDS.start + place for place in range(len(ids))]
    assert {schema_id: version.number for schema_id, version in BY_SCHEMA_ID.items()} == dict(
        zip(ids, numbers, strict=True)
    )
    assert numbers[-1] == LATEST.number


@pytest.mark.parametrize(("old", "new"), [*itertools.combinations_with_replacement(sorted(VERSIONS), 2)])
def test_every_newer_version_reads_every_older_one(old: int, new: int) -> None:
    """BACKWARD_TRANSITIVE: what the newest writer's predecessor wrote stays readable."""
    buffer = BytesIO()
    fastavro.schemaless_writer(buffer, parsed(old), as_read_elsewhere(EVENT))
    told = read_elsewhere(bytes(FRAME_SIZE) + buffer.getvalue(), old, new)
    assert told["event_id"] == EVENT.event_id
    assert set(told) == {field["name"] for field in parsed(new)["fields"]}


@pytest.mark.parametrize("number", sorted(VERSIONS))
@settings(max_examples=50)
@given(event=events())
def test_what_any_version_wrote_is_read_by_the_codec_as_avro_resolves_it(
    number: int, event: SessionEvent
) -> None:
    """The codec's reader of an old version leaves absent fields to the class: its defaults are Avro's."""
    buffer = BytesIO()
    fastavro.schemaless_writer(buffer, parsed(number), as_read_elsewhere(event))
    value = b"\x00" + VERSIONS[number].schema_id.to_bytes(4) + buffer.getvalue()
    assert as_read_elsewhere(decode(value)) == read_elsewhere(value, number, LATEST.number)


@pytest.mark.parametrize("number", sorted(VERSIONS))
def test_a_record_by_hand_of_every_version_is_read(number: int) -> None:
    later = {name: None for version, names in ADDED.items() if version > number for name in names}
    assert decode(record_of(number)) == msgspec.structs.replace(EVENT, **later)


def test_the_class_and_the_newest_schema_name_the_same_fields() -> None:
    schema = json.loads(LATEST.text)
    by_name = {field["name"]: field for field in schema["fields"]}
    assert tuple(by_name) == SessionEvent.__struct_fields__
    assert tuple(by_name["type"]["type"]["symbols"]) == tuple(EventType)
    figures = by_name["statistics"]["type"][1]["fields"]
    assert tuple(figure["name"] for figure in figures) == Statistics.__struct_fields__


def test_every_field_says_what_it_means_and_every_figure_in_which_unit() -> None:
    schema = json.loads(LATEST.text)
    figures = next(field for field in schema["fields"] if field["name"] == "statistics")["type"][1]["fields"]
    assert [field["name"] for field in schema["fields"] + figures if not field.get("doc")] == []
    units = ("Second", "Share 0 to 1", "Count", "score", "index")
    assert [f["name"] for f in figures if not any(unit in f["doc"] for unit in units)] == []


def test_an_unknown_symbol_of_a_later_schema_reads_as_unknown() -> None:
    """A sink that follows a registry meets types that it does not know; they are carried, not refused."""
    later = json.loads(LATEST.text)
    kind = next(field for field in later["fields"] if field["name"] == "type")
    kind["type"]["symbols"].append("SESSION_SHARED")
    buffer = BytesIO()
    writer: Any = fastavro.parse_schema(later)
    fastavro.schemaless_writer(buffer, writer, as_read_elsewhere(EVENT) | {"type": "SESSION_SHARED"})
    buffer.seek(0)
    told: Any = fastavro.schemaless_reader(buffer, writer, parsed(LATEST.number))
    assert told["type"] == "UNKNOWN"


def test_defaults_are_valid_for_the_schemas_own_types() -> None:
    """The Avro rules for defaults: a union's default is of its first branch, an enum's one of its symbols."""
    schema = json.loads(LATEST.text)
    for field in schema["fields"]:
        first = field["type"][0] if isinstance(field["type"], list) else field["type"]
        if "default" not in field:
            assert first in NOT_OURS or first["logicalType"] == "timestamp-micros"
        elif isinstance(first, dict) and "symbols" in first:
            assert field["default"] == first["default"]
            assert field["default"] in first["symbols"]
        else:
            checked: Any = fastavro.parse_schema(first)
            assert fastavro.validate(field["default"], checked, raise_errors=False)
