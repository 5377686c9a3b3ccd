from typing import Any

import pytest

from producers.delivery import InvalidDelivery
from producers.sources.generic import normalise
from schemas.event import EventType, SessionEvent
from schemas.identity import session_id_for
from tests.deliveries import (
    END_US,
    SESSION,
    STAGE_BYTES,
    START_US,
    USER,
    as_body,
    context,
    generic_session,
)


def read(told: object, *claims: str | None) -> SessionEvent:
    (event,) = normalise(as_body(told), context(*claims, source="plain"))
    return event


def problems(told: object, *claims: str | None) -> dict[str, str]:
    with pytest.raises(InvalidDelivery) as refused:
        read(told, *claims)
    return dict(refused.value.problems)


def test_each_field_arrives_under_its_own_name() -> None:
    event = read(generic_session(), USER)
    assert (event.type, event.user_id, event.session_id) == (EventType.SESSION_COMPLETE, USER, SESSION)
    assert (event.sequence, event.occurred_at, event.epoch_seconds) == (3, END_US, 30)
    assert (event.session_start_time, event.session_end_time) == (START_US, END_US)
    assert (event.timezone, event.sleep_stages) == ("Europe/Berlin", STAGE_BYTES)
    assert event.statistics is not None
    assert (event.statistics.time_in_bed, event.statistics.waso_count) == (30630.0, 4)
    assert event.attributes == {"device": "ring"}


def test_the_clocks_offset_is_told_by_itself_and_makes_no_other_event() -> None:
    event = read(generic_session(utc_offset_seconds=-64_800))
    assert event.utc_offset_seconds == -64_800
    assert event.event_id == read(generic_session()).event_id
    assert read(generic_session()).utc_offset_seconds is None
    for bad in (64_801, 1.0, "0", True):
        assert set(problems(generic_session(utc_offset_seconds=bad))) == {"utc_offset_seconds"}


def test_the_same_instant_with_another_offset_is_the_same_event() -> None:
    moved = generic_session(occurred_at="2026-02-15T05:35:30.250Z")
    assert read(moved).event_id == read(generic_session()).event_id


def test_fields_that_nobody_knows_are_carried() -> None:
    told = generic_session(mood=["calm"], device="watch", statistics={"hrv": 41.5})
    assert read(told).attributes == {
        "device": "ring",  # what the sender calls an attribute comes first
        "outer.device": "watch",
        "mood": '["calm"]',
        "statistics.hrv": "41.5",
    }


@pytest.mark.parametrize("name", ["event_id", "source", "tenant", "received_at", "normaliser", "raw"])
def test_a_sender_cannot_set_what_is_ours(name: str) -> None:
    event = read(generic_session(**{name: "forged"}))
    assert getattr(event, name) != "forged"
    assert event.attributes[name] == "forged"


def test_a_type_that_we_do_not_know_is_carried_as_unknown() -> None:
    event = read(generic_session(type="NAP_ENDED"))
    assert (event.type, event.attributes["type"]) == (EventType.UNKNOWN, "NAP_ENDED")


@pytest.mark.parametrize("kind", ["UNKNOWN", "SESSION_CHANGED", "USER_REVOKED"])
def test_some_types_need_no_session(kind: str) -> None:
    assert read({"type": kind, "user_id": USER}).session_id is None


def test_a_session_without_an_id_gets_one_of_its_user_and_interval() -> None:
    told = generic_session(session_id=None)
    assert read(told).session_id == session_id_for(USER, START_US, END_US)
    assert problems(told | {"session_end_time": None}) == {"session_id": "is missing"}


@pytest.mark.parametrize(
    "time",
    [
        "2026-02-15T06:35:30",
        "2026-02-15",
        "2026-13-15T06:35:30Z",
        "0001-01-01T00:00:00+05:00",
        "9999-12-31T23:59:59-05:00",
        1771133730,
        True,
        "",
    ],
)
def test_a_time_without_offset_or_year_is_refused(time: Any) -> None:
    assert set(problems(generic_session(occurred_at=time))) == {"occurred_at"}


@pytest.mark.parametrize(
    "time", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z", "2026-02-15t06:35:30z"]
)
def test_the_years_1_to_9999_are_taken(time: str) -> None:
    assert read(generic_session(occurred_at=time)).occurred_at != 0


@pytest.mark.parametrize("number", [1.5, 1.0, True, "1", 2**63, -(2**63) - 1])
def test_numbers_are_not_bent(number: Any) -> None:
    assert set(problems(generic_session(sequence=number))) == {"sequence"}


@pytest.mark.parametrize("seconds", [0, -30, 86_401, 30.0, True])
def test_an_epoch_lasts_a_second_to_a_day(seconds: Any) -> None:
    assert set(problems(generic_session(epoch_seconds=seconds))) == {"epoch_seconds"}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("time_in_bed", -1),
        ("waso_count", 1.5),
        ("waso_count", True),
        ("sleep_ratio", 1.2),
        ("time_in_rem", "90"),
    ],
)
def test_a_figure_in_our_own_vocabulary_must_fit(name: str, value: Any) -> None:
    assert set(problems(generic_session(statistics={name: value}))) == {f"statistics.{name}"}


def test_every_problem_is_told_at_once() -> None:
    told = generic_session(
        user_id=None,
        sleep_stages=[9],
        timezone="",
        attributes={"a": 1, "b": "x"},
        statistics=[],
        session_id="x" * 256,
    )
    assert set(problems(told)) == {
        "user_id",
        "sleep_stages",
        "timezone",
        "attributes.a",
        "statistics",
        "session_id",
    }


@pytest.mark.parametrize("kind", [None, 4, ""])
def test_the_type_is_a_text(kind: Any) -> None:
    assert "type" in problems(generic_session(type=kind))
