from typing import Any

import pytest

from producers.delivery import InvalidDelivery, NotJson, TooLarge
from producers.sources import garmin
from producers.sources.items import named_lists
from schemas.event import EventType, SessionEvent, Statistics
from schemas.identity import session_id_for
from tests.deliveries import as_body, context

START_S = 1_771_103_100
NIGHT = {
    "userId": "watch-owner-0007",
    "summaryId": "x-night-1",
    "startTimeInSeconds": START_S,
    "durationInSeconds": 150,
    "awakeDurationInSeconds": 60,
}
MICROS = 1_000_000


def read(part: str = "sleeps", item: dict[str, Any] | None = None, **told: Any) -> SessionEvent:
    around = context(source="garmin")._replace(part=part)
    (event,) = garmin.normalise(as_body((NIGHT if item is None else item) | told), around)
    return event


def level(*intervals: tuple[int, int]) -> list[dict[str, int]]:
    return [
        {"startTimeInSeconds": START_S + start, "endTimeInSeconds": START_S + end} for start, end in intervals
    ]


def test_a_summary_is_a_whole_session() -> None:
    event = read(
        deepSleepDurationInSeconds=60,
        unmeasurableSleepInSeconds=30,
        validation="AUTO_FINAL",
        overallSleepScore={},
    )
    assert (event.type, event.session_id) == (EventType.SESSION_COMPLETE, "x-night-1")
    assert event.session_start_time == START_S * MICROS
    assert event.session_end_time == event.occurred_at == (START_S + 240) * MICROS
    assert event.statistics == Statistics(time_in_sleep=150, time_in_wake=60, time_in_deep=60)
    assert event.attributes == {
        "summary_type": "sleeps",
        "unmeasurableSleepInSeconds": "30",
        "validation": "AUTO_FINAL",
        "overallSleepScore": "{}",
    }


def test_the_clocks_offset_is_a_field_and_makes_no_other_event() -> None:
    event = read(startTimeOffsetInSeconds=-12_600)
    assert event.utc_offset_seconds == -12_600
    assert "startTimeOffsetInSeconds" not in event.attributes
    assert event.event_id == read().event_id


@pytest.mark.parametrize("told", [64_801, -64_801, 3600.0, "3600", True])
def test_an_offset_that_can_be_none_loses_no_night(told: object) -> None:
    event = read(startTimeOffsetInSeconds=told)
    assert event.utc_offset_seconds is None
    assert event.attributes["startTimeOffsetInSeconds"] == str(told).lower().strip()


def test_levels_become_epochs_of_30_s_by_their_middle() -> None:
    levels = {
        "awake": level((0, 29)),  # not to the end: the middle counts
        "light": level((46, 90)),  # begins 1 s after a middle
        "deep": level((90, 105)),  # ends at a middle
        "rem": level((105, 150), (180, 9_999)),  # beyond the end
    }
    assert read(sleepLevelsMap=levels).sleep_stages == bytes([0, 255, 1, 3, 3, 255, 3])


def test_hostile_intervals_cost_nothing() -> None:
    levels = {"deep": level((-(10**30), 10**30), (90, 30), (10**17, 10**18))}
    assert read(sleepLevelsMap=levels).sleep_stages == bytes([2] * 7)


def test_an_unknown_level_is_carried() -> None:
    event = read(sleepLevelsMap={"deep": level((0, 30)), "dreaming": [1]})
    assert event.sleep_stages == bytes([2] + [255] * 6)
    assert event.attributes["sleepLevelsMap.dreaming"] == "[1]"


def test_without_levels_there_are_no_stages_and_without_figures_no_statistics() -> None:
    event = read(item={"userId": "u", "startTimeInSeconds": START_S})
    assert (event.sleep_stages, event.statistics) == (None, None)
    assert event.session_id == session_id_for("u", START_S * MICROS, START_S * MICROS)


def test_a_ping_has_to_be_fetched() -> None:
    url = "https://garmin.invalid/rest/sleeps?uploadStartTimeInSeconds=1771100000&uploadEndTimeInSeconds=1771103600"
    event = read(item={"userId": "u", "callbackURL": url})
    assert (event.type, event.session_id, event.occurred_at) == (
        EventType.SESSION_CHANGED,
        None,
        1_771_103_600 * MICROS,
    )
    assert event.attributes == {"callbackURL": url, "summary_type": "sleeps"}


@pytest.mark.parametrize("url", ["", "x?uploadEndTimeInSeconds=٣", "x?uploadEndTimeInSeconds=-1", 7, []])
def test_a_ping_without_a_time_has_none(url: Any) -> None:
    assert read(item={"userId": "u", "callbackURL": url}).occurred_at == 0


def test_the_end_of_any_ping_can_be_stored() -> None:
    event = read(item={"userId": "u", "callbackURL": "x?uploadEndTimeInSeconds=99999999999"})
    assert event.occurred_at > 0


def test_a_user_who_withdrew_is_revoked() -> None:
    event = read("deregistrations", {"userId": "u"})
    assert (event.type, event.user_id, event.session_id) == (EventType.USER_REVOKED, "u", None)


def test_any_other_list_is_carried() -> None:
    event = read("dailies", {"userId": "u", "summaryId": "d", "steps": 7})
    assert (event.type, event.session_id) == (EventType.UNKNOWN, None)
    assert event.attributes == {"summary_type": "dailies", "summaryId": "d", "steps": "7"}


def test_items_keep_their_own_bytes() -> None:
    body = b' {"sleeps" : [ {"userId" : "a"} ,1 ], "deregistrations":[{ }], "odd": {"x":1} , "none":[]} \n'
    assert named_lists(body, 9) == [
        ("sleeps[0]", "sleeps", b'{"userId" : "a"}'),
        ("sleeps[1]", "sleeps", b"1"),
        ("deregistrations[0]", "deregistrations", b"{ }"),
        ("odd", "odd", b'{"x":1}'),
    ]


@pytest.mark.parametrize("second", [b"sleeps", rb"sl\u0065eps"])
def test_a_list_that_is_told_twice_is_taken_twice(second: bytes) -> None:
    """A parser keeps the last one: the first one's nights would be answered 200 and lost."""
    body = b'{"sleeps": [{"userId": "a"}], "%s": [{"userId": "b"}]}' % second
    assert [item.body for item in named_lists(body, 9)] == [b'{"userId": "a"}', b'{"userId": "b"}']


def test_a_number_that_nobody_reads_is_one_items_fault() -> None:
    body = b'{"sleeps": [{"n": %s}, {"userId": "b"}]}' % (b"9" * 5_000)
    assert [item.path for item in named_lists(body, 9)] == ["sleeps[0]", "sleeps[1]"]


@pytest.mark.parametrize("coding", ["utf-16-le", "utf-16", "utf-32"])
def test_another_coding_than_utf_8_is_no_json(coding: str) -> None:
    """Its bytes hold what looks like half a surrogate pair."""
    with pytest.raises(NotJson):
        named_lists('{"sleeps":["畜d"]}'.encode(coding), 9)


def test_half_a_surrogate_pair_is_one_items_fault() -> None:
    half = rb'{"sleeps": [{"userId": "\ud800", "]": "[,:\"\\"} , {"userId" : "b"}],'
    half += rb' "\ud800x": [ "\u00e4", [1] ]}'
    assert named_lists(half, 9) == [
        ("sleeps[0]", "sleeps", rb'{"userId": "\ud800", "]": "[,:\"\\"}'),
        ("sleeps[1]", "sleeps", b'{"userId" : "b"}'),
        ("?x[0]", "?x", rb'"\u00e4"'),
        ("?x[1]", "?x", b"[1]"),
    ]


@pytest.mark.parametrize("body", [b"{}", b'{"sleeps": []}', b"[]", b"7", rb'"\ud800"', rb'["\ud800"]'])
def test_a_delivery_without_an_item_is_refused(body: bytes) -> None:
    with pytest.raises((InvalidDelivery, NotJson)):
        named_lists(body, 9)


@pytest.mark.parametrize(
    "body", [b'{"a":[1,2],"b":[3]}', b'{"a":[1],"b":[1],"c":[1]}', rb'{"a":["\ud800",2,3]}']
)
def test_more_items_than_are_taken_are_too_large(body: bytes) -> None:
    assert len(named_lists(body, 3)) == 3
    with pytest.raises(TooLarge):
        named_lists(body, 2)
