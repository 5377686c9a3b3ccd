import json
from typing import Any

import pytest

from producers.delivery import InvalidDelivery
from producers.sources import oura
from schemas.event import EventType, SessionEvent
from tests.deliveries import as_body, context

OBJECT = "0f6e7d3a-91f5-4c8e-a2a4-5a0c3e1b7d22"
PING = {
    "event_type": "create",
    "data_type": "sleep",
    "object_id": OBJECT,
    "event_time": "2026-02-15T06:41:07+01:00",
    "user_id": "ring-owner-0007",
}
TOKENS = (b"the-token-that-goes-1", b"the-token-that-comes-2")


def read(**told: Any) -> SessionEvent:
    (event,) = oura.normalise(as_body(PING | told), context(source="oura"))
    return event


@pytest.mark.parametrize("event_type", ["create", "update"])
def test_a_sleep_that_changed_has_to_be_fetched(event_type: str) -> None:
    event = read(event_type=event_type)
    assert (event.type, event.session_id) == (EventType.SESSION_CHANGED, OBJECT)
    assert event.occurred_at == 1_771_134_067_000_000
    assert event.attributes == {"event_type": event_type, "data_type": "sleep"}


def test_a_deleted_sleep_is_a_deleted_session() -> None:
    event = read(event_type="delete")
    assert (event.type, event.session_id) == (EventType.SESSION_DELETED, OBJECT)
    assert event.occurred_at == 1_771_134_067_000_000


def test_a_delete_has_to_say_of_what() -> None:
    with pytest.raises(InvalidDelivery) as refused:
        read(event_type="delete", object_id=None)
    assert [path for path, _ in refused.value.problems] == ["object_id"]
    assert read(object_id=None).session_id is None


@pytest.mark.parametrize(
    ("event_type", "data_type"), [("delete", "daily_sleep"), ("create", "workout"), ("renewed", "sleep")]
)
def test_what_is_no_session_is_carried(event_type: str, data_type: str) -> None:
    event = read(event_type=event_type, data_type=data_type)
    assert (event.type, event.session_id) == (EventType.UNKNOWN, None)
    assert event.attributes == {"event_type": event_type, "data_type": data_type, "object_id": OBJECT}


@pytest.mark.parametrize("token", ["the-token-that-goes-1", "the-token-that-comes-2"])
def test_a_challenge_with_a_token_is_answered(token: str) -> None:
    answer = oura.challenge(f"verification_token={token}&challenge=3f%228%C3%A4", TOKENS)
    assert answer is not None
    assert json.loads(answer) == {"challenge": '3f"8ä'}


@pytest.mark.parametrize(
    "query",
    [
        "",
        "challenge=x",
        "verification_token=&challenge=x",
        "verification_token=the-token-that-goes-&challenge=x",
        "verification_token=the-token-that-goes-1",
        "verification_token=the-token-that-goes-1&challenge=x&challenge=y",
        "verification_token=wrong&verification_token=the-token-that-goes-1&challenge=x",
        "verification_token=the-token-that-goes-1&challenge=%ff",
        "verification_token=th%C3%A9&challenge=x",
        "verification_token=the-token-that-goes-1&challenge=x" + "&a=b" * 20,
        "&&&",
        "verification_token",
    ],
)
def test_any_other_challenge_is_not(query: str) -> None:
    assert oura.challenge(query, TOKENS) is None


def test_without_a_token_no_challenge_is_answered() -> None:
    assert oura.challenge("verification_token=&challenge=x", ()) is None
