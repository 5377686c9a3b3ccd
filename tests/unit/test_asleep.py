from typing import Any

import pytest

from producers.delivery import InvalidDelivery
from producers.sources.asleep import normalise
from schemas.event import EventType, SessionEvent
from tests.deliveries import (
    END_US,
    SESSION,
    STAGE_BYTES,
    START_US,
    USER,
    as_body,
    asleep_inference,
    asleep_session,
    context,
)

SPELLINGS = ("documented", "callback", "flat")


def read(told: object, *claims: str | None) -> SessionEvent:
    (event,) = normalise(as_body(told), context(*claims))
    return event


def problems(told: object, *claims: str | None) -> dict[str, str]:
    with pytest.raises(InvalidDelivery) as refused:
        read(told, *claims)
    return dict(refused.value.problems)


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_a_session_is_the_same_event_in_every_spelling(spelling: str) -> None:
    event = read(asleep_session(spelling), USER)
    assert event.event_id == read(asleep_session()).event_id
    assert (event.type, event.user_id, event.session_id) == (EventType.SESSION_COMPLETE, USER, SESSION)
    assert (event.session_start_time, event.session_end_time) == (START_US, END_US)
    assert event.occurred_at == END_US
    assert event.sleep_stages == STAGE_BYTES
    assert event.statistics is not None
    assert (event.statistics.time_in_bed, event.statistics.sleep_efficiency) == (30630.0, 0.8376)
    assert event.attributes["session.state"] == "COMPLETE"


@pytest.mark.parametrize("spelling", SPELLINGS)
def test_an_inference_is_the_same_event_in_every_spelling(spelling: str) -> None:
    event = read(asleep_inference(spelling))
    assert event.event_id == read(asleep_inference()).event_id
    assert (event.type, event.sequence, event.sleep_stages) == (
        EventType.INFERENCE_COMPLETE,
        12,
        bytes([0, 1, 2]),
    )
    assert event.occurred_at == 0
    assert event.attributes["seq_num"] == "120"


def test_spellings_may_be_mixed() -> None:
    told = asleep_session()
    mixed = {"callback_event": told["event"], "session": told["data"].pop("session"), "data": told["data"]}
    mixed["session"]["stage_list"] = mixed["session"].pop("sleep_stages")
    assert read(mixed).event_id == read(asleep_session()).event_id


@pytest.mark.parametrize(
    ("told", "share"), [(83.76, 0.8376), (0.8376, 0.8376), (1, 1.0), (100, 1.0), (0, 0.0), (1.5, 0.015)]
)
def test_efficiency_above_one_is_a_percentage(told: float, share: float) -> None:
    statistics = read(asleep_session(sleep_efficiency=told)).statistics
    assert statistics is not None
    assert statistics.sleep_efficiency == share


def test_a_percentage_and_a_share_are_the_same_fact() -> None:
    assert (
        read(asleep_session(sleep_efficiency=83.76)).event_id
        == read(asleep_session(sleep_efficiency=0.8376)).event_id
    )


def test_cycles_are_a_number_or_a_list_of_them() -> None:
    listed = read(asleep_session(sleep_cycle=[{"order": 1}, {"order": 2}]))
    assert listed.event_id == read(asleep_session(sleep_cycle=2)).event_id
    assert listed.attributes["stat.sleep_cycle"] == '[{"order":1},{"order":2}]'


def test_the_length_of_a_cycle_is_not_their_count_in_whatever_order_both_are_told() -> None:
    told = asleep_session(sleep_cycle=5400, sleep_cycle_count=4)
    turned = asleep_session()
    turned["data"]["stat"] = dict(reversed(told["data"]["stat"].items()))
    for event in (read(told), read(turned)):
        assert event.statistics is not None
        assert event.statistics.sleep_cycle_count == 4
        assert event.attributes["stat.sleep_cycle"] == "5400"
    assert read(told).event_id == read(turned).event_id
    alone = read(asleep_session(sleep_cycle=5, sleep_cycle_count=None))
    assert alone.statistics is not None
    assert alone.statistics.sleep_cycle_count == 5


@pytest.mark.parametrize(
    ("name", "value", "kept"),
    [
        ("time_in_bed", -1, "-1"),
        ("time_in_bed", "long", "long"),
        ("waso_count", 2.5, "2.5"),
        ("waso_count", True, "true"),
        ("sleep_ratio", 1.01, "1.01"),
        ("sleep_efficiency", 250, "250"),
        ("sleep_efficiency", 10**400, "1" + "0" * 400),
        ("sleep_time", "07:52:00", "07:52:00"),
        ("sleep_cycle", {"a": [1]}, '{"a":[1]}'),
        ("never_heard_of", [1, 2], "[1,2]"),
    ],
)
def test_a_figure_that_does_not_fit_never_loses_the_session(name: str, value: Any, kept: str) -> None:
    event = read(asleep_session(**{name: value}))
    assert event.attributes[f"stat.{name}"] == kept
    assert getattr(event.statistics, name, None) is None


@pytest.mark.parametrize("stat", [None, {}, [], "none", 7])
def test_a_session_without_figures_is_a_session(stat: Any) -> None:
    told = asleep_session()
    told["data"]["stat"] = stat
    assert read(told).statistics is None


def test_missing_data_is_a_figure_wherever_it_stands() -> None:
    beside, inside = asleep_session(), asleep_session(missing_data_ratio=0.25)
    beside["data"]["missing_data_ratio"] = 0.25
    assert read(beside).event_id == read(inside).event_id != read(asleep_session()).event_id


def test_the_session_id_may_stand_inside_only() -> None:
    told = asleep_session("flat")
    del told["session_id"]
    assert read(told).event_id == read(asleep_session()).event_id


def test_a_session_too_short_has_an_empty_hypnogram() -> None:
    told = asleep_session()
    told["data"]["session"]["sleep_stages"] = []
    assert read(told).sleep_stages == b""


def test_a_session_without_an_end_occurred_at_no_known_time() -> None:
    told = asleep_session()
    del told["data"]["session"]["end_time"]
    event = read(told)
    assert (event.occurred_at, event.session_end_time) == (0, None)


def test_an_event_that_we_do_not_know_is_carried() -> None:
    told = {
        "event": "SESSION_PAUSED",
        "version": "V9",
        "data": {"user_id": USER, "session_id": SESSION, "x": {"y": 1}},
    }
    event = read(told)
    assert (event.type, event.user_id, event.session_id) == (EventType.UNKNOWN, USER, SESSION)
    assert event.attributes == {"event": "SESSION_PAUSED", "version": "V9", "x": '{"y":1}'}


@pytest.mark.parametrize(("session_id", "kept"), [(17, "17"), ("", ""), ("x" * 256, "x" * 256)])
def test_an_unknown_event_keeps_even_a_session_id_that_is_none(session_id: object, kept: str) -> None:
    event = read({"event": "NEW", "user_id": USER, "session_id": session_id})
    assert event.session_id is None
    assert event.attributes["session_id"] == kept


def test_an_unknown_event_without_a_user_is_that_of_the_claim() -> None:
    assert read({"event": "NEW"}, "who-says-so").user_id == "who-says-so"
    assert problems({"event": "NEW"}) == {"user_id": "is missing"}


def test_every_problem_is_told_at_once_and_no_value() -> None:
    told = asleep_session()
    told["data"] |= {"user_id": 7, "session_id": ""}
    told["data"]["session"] |= {"start_time": "2026-02-14T22:05:00", "sleep_stages": [0, 4], "timezone": 1}
    found = problems(told)
    assert set(found) == {
        "data.user_id",
        "data.session_id",
        "data.session.start_time",
        "data.session.sleep_stages",
        "data.session.timezone",
    }
    assert "22:05" not in str(found)


@pytest.mark.parametrize("stages", [[1.0], [True], ["1"], [None], [255], [4], [-2], "0011", {"0": 1}, 3])
def test_stages_that_are_none_are_refused(stages: Any) -> None:
    told = asleep_inference()
    told["data"]["sleep_stages"] = stages
    assert set(problems(told)) == {"data.sleep_stages"}


@pytest.mark.parametrize("number", [1.0, 1.5, True, "3", -1, 2**63])
def test_an_inference_number_is_a_whole_number(number: Any) -> None:
    assert set(problems(asleep_inference(number=number))) == {"data.inference_seq_num"}


@pytest.mark.parametrize("field", ["user_id", "session_id"])
def test_ids_are_required(field: str) -> None:
    told = asleep_inference("flat")
    del told[field]
    assert problems(told) == {field: "is missing"}


@pytest.mark.parametrize("event", [None, 5, "", ["SESSION_COMPLETE"]])
def test_the_name_of_the_event_is_a_text(event: Any) -> None:
    assert set(problems({"event": event, "user_id": USER})) == {"event"}


def test_facts_told_twice_must_agree() -> None:
    twice = asleep_session()
    twice["data"]["session"]["id"] = "another"
    assert set(problems(twice)) == {"data.session.id"}
    assert set(problems(asleep_inference() | {"callback_event": "SESSION_COMPLETE"})) == {"callback_event"}
    assert set(problems(asleep_inference() | {"user_id": "another"})) == {"data.user_id"}
    assert read(asleep_inference() | {"user_id": USER}).event_id == read(asleep_inference()).event_id


def test_attributes_told_twice_are_both_kept() -> None:
    event = read(asleep_inference() | {"seq_num": 121})
    assert (event.attributes["seq_num"], event.attributes["outer.seq_num"]) == ("120", "121")


def test_a_wrapper_that_is_no_object_is_refused() -> None:
    assert "data" in problems({"event": "INFERENCE_COMPLETE", "data": [1]})


def test_the_claimed_user_must_be_the_bodys() -> None:
    assert set(problems(asleep_inference(), "somebody-else")) == {"x-user-id"}
    assert set(problems(asleep_inference(), USER, "somebody-else")) == {"x-user-id"}
    assert set(problems(asleep_inference(), None)) == {"x-user-id"}
