"""What every vendor's normaliser promises, however its payloads look."""

from typing import Any

import pytest

from producers.delivery import InvalidDelivery, NotJson
from producers.sources import NORMALISERS
from producers.sources.json_object import MAX_DEPTH
from schemas.codec import decode, encode
from schemas.event import SessionEvent
from schemas.identity import event_id
from tests.deliveries import (
    RECEIVED_US,
    USER,
    as_body,
    asleep_inference,
    asleep_session,
    context,
    generic_session,
)

GOOD: dict[str, dict[str, Any]] = {"asleep": asleep_session("flat"), "generic": generic_session()}


@pytest.fixture(params=sorted(NORMALISERS))
def vendor(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def read(vendor: str, body: bytes, *claims: str | None, keep_raw: bool = True) -> SessionEvent:
    (event,) = NORMALISERS[vendor](body, context(*claims, source=vendor, keep_raw=keep_raw))
    return event


def test_each_vendor_has_a_sample() -> None:
    assert GOOD.keys() == NORMALISERS.keys()


def test_an_event_survives_the_codec(vendor: str) -> None:
    event = read(vendor, as_body(GOOD[vendor]), USER)
    assert decode(encode(event)) == event


def test_an_event_knows_where_and_when_it_came_in(vendor: str) -> None:
    event = read(vendor, as_body(GOOD[vendor]))
    assert (event.source, event.tenant, event.received_at) == (vendor, "a-tenant", RECEIVED_US)
    assert event.normaliser >= 1
    assert event.event_id == event_id(event)


def test_raw_is_what_came_in_or_nothing(vendor: str) -> None:
    body = b"\n " + as_body(GOOD[vendor])
    assert read(vendor, body).raw == body
    assert read(vendor, body, keep_raw=False).raw is None


def test_order_space_and_unknown_fields_change_no_identity(vendor: str) -> None:
    turned = dict(reversed(GOOD[vendor].items())) | {"never_heard_of": {"x": [1]}}
    event = read(vendor, as_body(turned))
    assert event.event_id == read(vendor, as_body(GOOD[vendor])).event_id
    assert event.attributes["never_heard_of"] == '{"x":[1]}'


def test_a_null_says_nothing(vendor: str) -> None:
    event = read(vendor, as_body(GOOD[vendor] | {"never_heard_of": None}), keep_raw=False)
    assert event == read(vendor, as_body(GOOD[vendor]), keep_raw=False)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"{} {}",
        b"{'a': 1}",
        b'\xef\xbb\xbf{"a": 1}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": "\xff"}',
        b'{"a": "\xed\xa0\x80"}',
        b'{"a": "\x00"}',
        b"\xff\xfe{\x00}\x00",
        b'{"a": 01}',
        b"[" * 100_000,
        b'{"a":' * 100_000 + b"1" + b"}" * 100_000,
        b'{"a":' * MAX_DEPTH + b"[1]" + b"}" * MAX_DEPTH,
    ],
    ids=range(16),
)
def test_what_is_not_json_is_told_apart(vendor: str, body: bytes) -> None:
    with pytest.raises(NotJson):
        read(vendor, body)


@pytest.mark.parametrize(
    "body",
    [
        b"null",
        b"[]",
        b'"text"',
        b"7",
        b"{}",
        b'{"n": 1e999}',
        b'{"n": ' + b"1" * 5_000 + b"}",
        rb'{"t": "\ud800"}',
        rb'{"t": "\uDE00x"}',
    ],
)
def test_json_that_is_no_event_is_refused_with_problems(vendor: str, body: bytes) -> None:
    with pytest.raises(InvalidDelivery) as refused:
        read(vendor, body)
    assert refused.value.problems


@pytest.mark.parametrize("nul", [{"x": "a\x00"}, {"a\x00b": 1}, {"x": [{"y": ["a\x00"]}]}])
def test_what_postgres_cannot_hold_is_refused_wherever_it_hides(vendor: str, nul: dict[str, Any]) -> None:
    with pytest.raises(InvalidDelivery) as refused:
        read(vendor, as_body(GOOD[vendor] | nul))
    assert len(refused.value.problems) == 1


def test_an_escaped_backslash_is_no_nul(vendor: str) -> None:
    assert read(vendor, as_body(GOOD[vendor] | {"x": "\\u0000"})).attributes["x"] == "\\u0000"


def test_depth_up_to_the_limit_is_carried(vendor: str) -> None:
    deep: Any = 1
    for _ in range(MAX_DEPTH - 1):
        deep = [deep]
    assert read(vendor, as_body(GOOD[vendor] | {"deep": deep})).attributes["deep"].count("[") == MAX_DEPTH - 1


def test_a_number_of_a_thousand_digits_is_carried_as_text(vendor: str) -> None:
    body = as_body(GOOD[vendor])[:-1] + b', "n": ' + b"7" * 1_000 + b"}"
    assert read(vendor, body).attributes["n"] == "7" * 1_000


@pytest.mark.parametrize("user", ["", "x" * 256, 7, True, None, ["a"]])
def test_a_user_is_a_text_of_1_to_255_characters(vendor: str, user: Any) -> None:
    with pytest.raises(InvalidDelivery) as refused:
        read(vendor, as_body(GOOD[vendor] | {"user_id": user}))
    assert "user_id" in [path for path, _ in refused.value.problems]


def test_ids_are_never_parsed(vendor: str) -> None:
    odd = " ­😴/../%00'; drop table\n"
    assert read(vendor, as_body(GOOD[vendor] | {"user_id": odd}), odd).user_id == odd


def test_a_claimed_user_that_differs_is_a_problem(vendor: str) -> None:
    with pytest.raises(InvalidDelivery, match="1 problems"):
        read(vendor, as_body(GOOD[vendor]), "somebody-else")


def test_problems_repeat_no_value(vendor: str) -> None:
    secret = "a-value-that-must-not-be-repeated"
    told = GOOD[vendor] | {"session_id": [secret], "sleep_stages": secret, "timezone": {secret: secret}}
    with pytest.raises(InvalidDelivery) as refused:
        read(vendor, as_body(told))
    assert secret not in str(refused.value) + str(refused.value.problems)


def test_inferences_of_one_session_differ_by_their_number() -> None:
    assert (
        read("asleep", as_body(asleep_inference(number=1))).event_id
        != read("asleep", as_body(asleep_inference(number=2))).event_id
    )
