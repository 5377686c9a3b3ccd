"""The generated check of events lets pass only what msgspec does, and all of what is sent."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.checks import check_of
from schemas.codec import _fits, encode, problems_of
from schemas.event import SessionEvent, Statistics
from tests.events import made
from tests.valid_events import events

ODD = st.sampled_from(
    [
        None,
        True,
        0,
        -1,
        2**31,
        2**63,
        -(2**63),
        -(2**63) - 1,
        1.0,
        1.5,
        -0.5,
        2.0,
        1e10,
        float("nan"),
        float("inf"),
    ]
) | st.sampled_from(
    ["", "x", "x" * 64, "x" * 65, "x" * 255, "x" * 256, b"", b"x", [], {}, {"a": "b"}, {"a": 1}, {1: "a"}]
)


@settings(max_examples=300)
@given(event=events())
def test_what_is_valid_passes(event: SessionEvent) -> None:
    assert _fits(event)


@settings(max_examples=500)
@given(event=events(), name=st.sampled_from(SessionEvent.__struct_fields__), value=ODD)
def test_what_passes_is_valid(event: SessionEvent, name: str, value: Any) -> None:
    changed = msgspec.structs.replace(event, **{name: value})
    by_msgspec = [problem for problem in problems_of(changed) if not problem.problem.startswith(BEYOND)]
    assert not _fits(changed) or by_msgspec == []


@settings(max_examples=300)
@given(name=st.sampled_from(Statistics.__struct_fields__), value=ODD)
def test_figures_are_looked_at_too(name: str, value: Any) -> None:
    changed = with_figures(Statistics(**{name: value}))
    assert not _fits(changed) or problems_of(changed) == []


def test_a_whole_number_for_a_figure_is_no_mistake_and_goes_by_msgspec() -> None:
    event = with_figures(Statistics(time_in_bed=30))
    assert not _fits(event)
    assert encode(event) == encode(with_figures(Statistics(time_in_bed=30.0)))


def test_a_type_that_no_event_needs_is_told_when_the_check_is_made() -> None:
    class Other(msgspec.Struct):
        numbers: list[int]

    with pytest.raises(TypeError, match="no check for"):
        check_of(Other)


def with_figures(statistics: Statistics) -> SessionEvent:
    return msgspec.structs.replace(made(), statistics=statistics)


BEYOND = ("required for", "a stage is none", "not a UUID", "contains U+0000")
"""What no type says; looked at besides."""
