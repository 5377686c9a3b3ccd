"""Asleep's API answers: the same night as by webhook is the same event."""

import json
from typing import Any

import pytest

from producers.backfill.asleep import read_redacted, redaction_of
from producers.delivery import Context, InvalidDelivery
from producers.reading import redacting
from producers.redact import Redaction
from producers.sources import asleep
from producers.sources.asleep_api import (
    UnreadableAnswer,
    is_about_the_user,
    is_rate_limit,
    read_page,
    read_session,
)
from schemas.event import SessionEvent
from tests.deliveries import END_US, SESSION, USER, as_body, asleep_session, context


def result(**told: Any) -> dict[str, Any]:
    """The API's result for the night that `asleep_session` tells."""
    data = asleep_session()["data"]
    del data["user_id"], data["session_id"]
    return {"timezone": "UTC", "peculiarities": [], **data, **told}


def answer(told: dict[str, Any]) -> bytes:
    return as_body({"detail": "OK", "result": told})


def read(body: bytes, where: Context | None = None) -> SessionEvent | None:
    return read_session(body, USER, SESSION, where or context())


@pytest.mark.parametrize("spelling", ["documented", "flat", "callback"])
def test_a_night_by_the_api_is_the_event_that_each_webhook_is(spelling: str) -> None:
    (by_webhook,) = asleep.normalise(as_body(asleep_session(spelling)), context(USER))
    by_api = read(answer(result()))
    assert by_api is not None
    assert by_api.event_id == by_webhook.event_id
    assert by_api.occurred_at == by_webhook.occurred_at == END_US


def test_what_only_the_api_tells_is_no_fact() -> None:
    told = result(timezone="Asia/Seoul", missing_data_ratio=None)
    told["session"] |= {"created_timezone": "Asia/Seoul", "unexpected_end_time": None}
    event, plain = read(answer(told)), read(answer(result()))
    assert event is not None
    assert plain is not None
    assert event.event_id == plain.event_id
    assert event.attributes["session.created_timezone"] == "Asia/Seoul"


def test_another_offset_another_order_and_a_percentage_are_the_same_facts() -> None:
    told = result()
    told["session"] |= {"start_time": "2026-02-14T21:05:00Z", "end_time": "2026-02-15T05:35:30.250Z"}
    told["stat"]["sleep_efficiency"] = 83.76
    turned = dict(reversed(told.items()))
    event, plain = read(answer(turned)), read(answer(result()))
    assert event is not None
    assert plain is not None
    assert event.event_id == plain.event_id


def test_a_changed_figure_is_another_event() -> None:
    told = result()
    told["stat"]["time_in_bed"] += 1
    event, plain = read(answer(told)), read(answer(result()))
    assert event is not None
    assert plain is not None
    assert event.event_id != plain.event_id


def test_raw_is_the_answer_or_nothing() -> None:
    body = b" " + answer(result())
    event = read(body)
    assert event is not None
    assert event.raw == body
    bare = read(body, context(keep_raw=False))
    assert bare is not None
    assert bare.raw is None


@pytest.mark.parametrize("state", ["OPEN", "CLOSED"])
def test_a_session_that_is_not_finished_is_no_event(state: str) -> None:
    told = result()
    told["session"]["state"] = state
    assert read(answer(told)) is None


@pytest.mark.parametrize(
    "told",
    [
        result(session=None),
        result(session=[]),
        result(session={"id": "another"}),
        result(session={}),
        result(user_id="somebody-else"),
        result(session_id="another"),
        result(session={"id": SESSION, "state": {"is": "OPEN"}}),
    ],
)
def test_another_session_or_none_is_not_taken(told: dict[str, Any]) -> None:
    with pytest.raises(UnreadableAnswer):
        read(answer(told))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{}",
        b"null",
        b'{"result": []}',
        b'{"result": null}',
        b'{"result": {"n": 1e999}}',
        b"[" * 100_000,
        rb'{"result": {"t": "\u0000"}}',
    ],
)
def test_what_is_no_answer_is_told_apart(body: bytes) -> None:
    with pytest.raises(UnreadableAnswer):
        read(body)
    with pytest.raises(UnreadableAnswer):
        read_page(body)
    assert not is_rate_limit(body)
    assert not is_about_the_user(body)


def test_a_session_whose_facts_are_wrong_is_refused_without_its_values() -> None:
    told = result()
    told["session"] |= {"end_time": "yesterday", "sleep_stages": "none of your business"}
    with pytest.raises(InvalidDelivery) as refused:
        read(answer(told))
    assert [path for path, _ in refused.value.problems] == [
        "result.session.end_time",
        "result.session.sleep_stages",
    ]
    assert "business" not in str(refused.value.problems)


def test_a_page_tells_ids_and_what_is_finished() -> None:
    listed = [
        {"session_id": "a", "state": "COMPLETE"},
        {"session_id": "b", "state": "OPEN"},
        {"session_id": "c", "state": "CLOSED"},
        {"session_id": "d"},
    ]
    page = read_page(answer({"sleep_session_list": listed}))
    assert page == [("a", True), ("b", False), ("c", False), ("d", True)]


@pytest.mark.parametrize(
    "item",
    [
        None,
        1,
        [],
        {},
        {"session_id": 7},
        {"session_id": ""},
        {"session_id": ".."},
        {"session_id": "a", "state": []},
    ],
)
def test_a_page_with_anything_else_is_not_taken(item: Any) -> None:
    with pytest.raises(UnreadableAnswer):
        read_page(answer({"sleep_session_list": [item]}))


def test_the_details_that_mean_something_else_than_their_status() -> None:
    assert is_rate_limit(json.dumps({"detail": "Rate limit exceeded"}).encode())
    assert not is_rate_limit(json.dumps({"detail": "Plan expired"}).encode())
    assert not is_rate_limit(json.dumps({"detail": ["Rate limit"]}).encode())
    assert is_about_the_user(json.dumps({"detail": "x-user-id is invalid"}).encode())
    assert not is_about_the_user(json.dumps({"detail": "api key is invalid"}).encode())


@pytest.mark.parametrize(
    ("spelling", "path"),
    [("documented", "data.stat.*"), ("callback", "callback_data.stat.*"), ("flat", "stat.*")],
)
def test_what_a_source_redacts_of_webhooks_is_redacted_here_too(spelling: str, path: str) -> None:
    by_webhook = redacting(asleep.normalise, Redaction([path]))
    (sent,) = by_webhook(as_body(asleep_session(spelling)), context(USER))
    event = read_redacted(answer(result()), USER, SESSION, context(), redaction_of([path]))
    assert event is not None
    assert event.raw is not None
    assert b"30630" not in event.raw
    assert event.attributes["raw.redacted"] == "result.stat.*"
    assert event.event_id == sent.event_id
