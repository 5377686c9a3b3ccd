"""Whatever is written is read back as it was; what must not be written is refused, with all its problems."""

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings

from schemas.codec import InvalidEvent, Problem, decode, encode, problems_of
from schemas.event import MAX_TIME_US, MIN_TIME_US, RANK, EventType, SessionEvent, Statistics
from tests.crafted import EVENT
from tests.valid_events import events

TEXTS = ("source", "tenant", "user_id", "session_id", "timezone")
TIMES = ("occurred_at", "received_at", "session_start_time", "session_end_time")


def changed(**fields: Any) -> SessionEvent:
    return msgspec.structs.replace(EVENT, **fields)


def paths_refused(event: SessionEvent) -> list[str]:
    """The paths that `encode` complains of; `problems_of` has to say the same."""
    with pytest.raises(InvalidEvent) as refused:
        encode(event)
    assert problems_of(event) == refused.value.problems
    assert all(problem.problem for problem in refused.value.problems)
    return [problem.path for problem in refused.value.problems]


@settings(max_examples=150)
@given(event=events())
def test_every_valid_event_comes_back_as_it_was(event: SessionEvent) -> None:
    assert problems_of(event) == []
    assert decode(encode(event)) == event


@pytest.mark.parametrize("kind", EventType)
def test_every_type_comes_back(kind: EventType) -> None:
    assert decode(encode(changed(type=kind))).type is kind


@pytest.mark.parametrize("field", ["sequence", "normaliser", "epoch_seconds", *TIMES])
@pytest.mark.parametrize("value", [True, 1.5, 1.0, 2**63, -(2**63) - 1, math.nan, math.inf, "1", b"1"])
def test_a_whole_number_is_nothing_else(field: str, value: object) -> None:
    """Left to itself, fastavro writes 1.5 and True as 1."""
    assert paths_refused(changed(**{field: value})) == [field]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("normaliser", -1),
        ("normaliser", 2**31),
        ("epoch_seconds", 0),
        ("epoch_seconds", 86_401),
        *((field, MIN_TIME_US - 1) for field in TIMES),
        *((field, MAX_TIME_US + 1) for field in TIMES),
        *((field, "") for field in TEXTS),
        ("source", "x" * 65),
        ("tenant", "x" * 65),
        *((field, "x" * 256) for field in TEXTS[2:]),
        *((field, b"x") for field in TEXTS),
    ],
)
def test_a_field_keeps_its_range(field: str, value: object) -> None:
    assert paths_refused(changed(**{field: value})) == [field]


@pytest.mark.parametrize("value", [True, -0.1, math.nan, math.inf, -math.inf, "1", 1e10])
@pytest.mark.parametrize("field", ["time_in_bed", "sleep_efficiency", "waso_count"])
def test_a_statistic_keeps_its_type_and_range(field: str, value: Any) -> None:
    """The relay must not acknowledge a night that the sink would then park."""
    event = changed(statistics=Statistics(**{field: value}))
    assert paths_refused(event) == [f"statistics.{field}"]


@pytest.mark.parametrize("value", [True, math.nan, math.inf, -1.1e9, 1.1e9])
def test_an_index_may_be_negative_and_is_finite(value: Any) -> None:
    assert problems_of(changed(statistics=Statistics(breathing_index=-1e9))) == []
    assert paths_refused(changed(statistics=Statistics(breathing_index=value))) == [
        "statistics.breathing_index"
    ]


@pytest.mark.parametrize("value", [-1, 1.0, 2**63])
def test_a_count_is_a_natural_number(value: Any) -> None:
    assert paths_refused(changed(statistics=Statistics(waso_count=value))) == ["statistics.waso_count"]


@pytest.mark.parametrize("bad", ["a\x00b", "\ud800", "ü\udfff", "ü\x00"])
def test_text_that_cannot_be_stored_is_refused_everywhere(bad: str) -> None:
    for field in TEXTS:
        assert paths_refused(changed(**{field: bad})) == [field]
    assert paths_refused(changed(attributes={"name": bad})) == ["attributes"]
    assert paths_refused(changed(attributes={bad: "value"})) == ["attributes"]


@pytest.mark.parametrize("value", [{"a": 1}, {1: "a"}, {"a": None}, None, [("a", "b")]])
def test_attributes_are_texts(value: object) -> None:
    [path] = paths_refused(changed(attributes=value))
    assert path in {"attributes", "attributes[...]", "event"}


@pytest.mark.parametrize("field", ["sleep_stages", "raw"])
@pytest.mark.parametrize("value", ["AAAA", [0, 1], 7])
def test_bytes_are_bytes_and_no_base64(field: str, value: object) -> None:
    assert paths_refused(changed(**{field: value})) == [field]


@pytest.mark.parametrize("stage", [4, 127, 128, 254])
def test_a_stage_is_one_of_five(stage: int) -> None:
    assert paths_refused(changed(sleep_stages=bytes([0, stage, 1]))) == ["sleep_stages"]


@pytest.mark.parametrize(
    "bad",
    [
        "16A0D346-F722-5514-9424-419FA75511AA",
        "{6a0d346-f722-5514-9424-419fa75511a}",
        "16a0d346f722-5514-9424-419fa75511aa-",
        "16a0d346_f722_5514_9424_419fa75511aa",
        "16a0d346-f722-5514-9424-419fa75511ag",
        "16a0d346-f722-5514-9424-419fa7551-aa",
        "16a0d346-f722-5514-9424-419fa75511a٣",
        "16a0d346-f722-5514-9424-419fa75511a",
        "16a0d346-f722-5514-9424-419fa75511aaa",
        "",
    ],
)
def test_an_event_id_is_a_uuid_in_its_canonical_form(bad: str) -> None:
    assert paths_refused(changed(event_id=bad)) == ["event_id"]


@pytest.mark.parametrize("kind", RANK)
def test_a_state_needs_its_session(kind: EventType) -> None:
    assert paths_refused(changed(type=kind, session_id=None)) == ["session_id"]


@pytest.mark.parametrize("kind", ["UNKNOWN", "SESSION_CHANGED", "USER_REVOKED"])
def test_what_is_no_state_needs_none(kind: str) -> None:
    assert EventType(kind) not in RANK
    assert decode(encode(changed(type=EventType(kind), session_id=None))).session_id is None


@pytest.mark.parametrize("bad", ["SESSION_ABANDONED", "session_started", None, 1])
def test_a_type_is_one_of_the_schemas(bad: object) -> None:
    assert paths_refused(changed(type=bad)) == ["type"]


def test_all_that_is_beyond_types_is_told_at_once_and_without_values() -> None:
    event = changed(session_id=None, sleep_stages=b"\x09", event_id="secret".ljust(36), user_id="secret\x00")
    with pytest.raises(InvalidEvent) as refused:
        encode(event)
    assert {problem.path for problem in refused.value.problems} == {
        *("session_id", "sleep_stages", "event_id", "user_id"),
    }
    assert "secret" not in str(refused.value)
    assert isinstance(refused.value.problems[0], Problem)
