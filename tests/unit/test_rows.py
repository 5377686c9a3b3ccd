"""A staged row has a value for each column in its form; a deletion has no content left."""

import struct
from typing import Any
from uuid import UUID

import msgspec
import pytest

from consumers.rows import COLUMNS, folded_row, packed_row, staged_row
from schemas.event import EventType, SessionEvent, Statistics
from tests.crafted import EVENT

TOPIC_ID = UUID(int=7)
CONTENT = {
    "session_start_time",
    "session_end_time",
    "timezone",
    "utc_offset_seconds",
    "sleep_stages",
    "statistics",
} | {name for name in Statistics.__struct_fields__ if name in COLUMNS}
PYTHON = {"text": str, "bytea": bytes, "int8": int, "int4": int, "float8": float, "bool": bool}


def row_of(**fields: Any) -> dict[str, Any]:
    """The staged row by column."""
    event = msgspec.structs.replace(EVENT, **fields)
    return dict(zip(COLUMNS, staged_row(event, (TOPIC_ID, 3, 99)), strict=True))


def full_statistics() -> Statistics:
    """All of them, each with another value."""
    figures: dict[str, Any] = {
        name: place if name.endswith("count") else place / 100
        for place, name in enumerate(Statistics.__struct_fields__, start=1)
    }
    return Statistics(**figures)


def test_every_column_has_a_value_of_its_type() -> None:
    row = row_of(statistics=full_statistics())
    assert {name: type(value) for name, value in row.items()} == {
        name: PYTHON[kind] for name, kind in COLUMNS.items()
    }


def test_every_statistic_is_in_its_column_or_among_the_others() -> None:
    told = full_statistics()
    row = row_of(statistics=told)
    others = msgspec.json.decode(row["statistics"][1:])
    assert others.keys().isdisjoint(COLUMNS)
    columns = {name: row[name] for name in Statistics.__struct_fields__ if name in COLUMNS}
    assert columns | others == msgspec.structs.asdict(told)


def test_absent_statistics_are_null_and_empty_ones_an_empty_object() -> None:
    assert row_of(statistics=None)["statistics"] is None
    assert row_of(statistics=Statistics())["statistics"] == b"\x01{}"
    assert row_of(attributes={})["attributes"] == b"\x01{}"


def test_the_place_in_the_log_comes_along() -> None:
    row = row_of()
    assert (row["kafka_topic_id"], row["kafka_partition"], row["kafka_offset"]) == (TOPIC_ID.bytes, 3, 99)


def test_a_deletion_keeps_its_key_and_loses_its_content() -> None:
    kept, deleted = row_of(), row_of(type=EventType.SESSION_DELETED)
    assert {name: deleted[name] for name in CONTENT} == dict.fromkeys(CONTENT)
    assert deleted["attributes"] == b"\x01{}"
    same = set(COLUMNS) - CONTENT - {"type", "attributes"}
    assert {name: deleted[name] for name in same} == {name: kept[name] for name in same}


def test_raw_bytes_are_never_stored() -> None:
    assert SessionEvent.__struct_fields__[-1] == "raw"
    assert b"secret" not in b"".join(
        part for part in row_of(raw=b"secret").values() if isinstance(part, bytes)
    )


def test_a_key_that_comes_once_remembers_itself() -> None:
    row = row_of()
    assert row["folded"] is False
    assert row["applied_event_ids"] == array_by_hand(EVENT.event_id)


@pytest.mark.parametrize("count", [1, 2, 16])
def test_a_key_that_comes_often_remembers_all_that_was_written(count: int) -> None:
    ids = tuple(str(UUID(int=number)) for number in range(count))
    told = array_by_hand(*ids)
    own = row_of(statistics=full_statistics())
    as_often = own | {"applied_event_ids": told, "folded": True}
    once, often = (packed_row(tuple(row.values())) for row in (own, as_often))
    assert folded_row(once, ids) == often


def array_by_hand(*ids: str) -> bytes:
    """PostgreSQL's array_send: dimensions, has nulls, element type, then length and lower bound."""
    head = struct.pack(">iiI", 1, 0, 2950) + struct.pack(">ii", len(ids), 1)
    return head + b"".join(struct.pack(">i", 16) + UUID(one).bytes for one in ids)
