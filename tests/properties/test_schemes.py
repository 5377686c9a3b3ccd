"""Whatever is changed about a signed request, it is refused as unauthenticated, and nothing else happens."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.frozen_clock import FrozenClock
from tests.signed_requests import CASES, Case, Request

BODIES = st.binary(max_size=64)
CHARACTERS = st.one_of(
    st.sampled_from(list(" \t,.=:;-+_/0123456789abcdefABCDEFtvV~")),
    st.characters(exclude_categories=["Cs"]),  # what no UTF-8 can say, no server can hand on
)
FORMS = pytest.mark.parametrize("name", CASES)
OFTEN = settings(max_examples=150)


@st.composite
def edited(draw: st.DrawFn, text: str) -> str:
    """A text with one character replaced, put in or left out, or with its end cut off."""
    place = draw(st.integers(0, len(text) - 1))
    match draw(st.sampled_from(["replace", "insert", "append", "delete", "cut"])):
        case "replace":
            return text[:place] + draw(CHARACTERS) + text[place + 1 :]
        case "insert":
            return text[:place] + draw(CHARACTERS) + text[place:]
        case "append":
            return text + draw(CHARACTERS)
        case "delete":
            return text[:place] + text[place + 1 :]
        case _:
            return text[:place]


def is_the_same(case: Case, edited_value: str, value: str) -> bool:
    return edited_value == value or (
        case.is_caseless and edited_value.isascii() and _caseless(edited_value) == _caseless(value)
    )


def _caseless(value: str) -> str:
    """The hex digits lose their case, a prefix before them keeps it."""
    prefix, equals, digits = value.rpartition("=")
    return prefix + equals + digits.lower()


@FORMS
@OFTEN
@given(data=st.data(), body=BODIES)
def test_a_changed_header_or_token_is_refused(name: str, data: st.DataObject, body: bytes) -> None:
    case, clock = CASES[name], FrozenClock()
    good = case.signed(clock, body=body)
    assert good.passes(case.made(clock))
    if good.token is not None:
        token = data.draw(edited(good.token))
        assert token == good.token or not replace(good, token=token).passes(case.made(clock))
    for header, value in good.headers:
        other = data.draw(edited(value))
        if not is_the_same(case, other, value):
            assert not good.with_header(header, other).passes(case.made(clock))


@FORMS
@OFTEN
@given(data=st.data(), body=BODIES)
def test_a_removed_or_doubled_header_is_refused(name: str, data: st.DataObject, body: bytes) -> None:
    case, clock = CASES[name], FrozenClock()
    good = case.signed(clock, body=body)
    others = data.draw(st.lists(st.text(CHARACTERS, max_size=9), max_size=2))
    for key, value in good.headers:
        assert not good.with_header(key).passes(case.made(clock))
        assert not good.with_header(key, *others, value, value).passes(case.made(clock))
        assert not good.with_header(key, value, *others, "").passes(case.made(clock))
    assert good.headers or not replace(good, token=None).passes(case.made(clock))


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.signs_body])
@OFTEN
@given(data=st.data(), body=st.binary(min_size=1, max_size=64))
def test_a_changed_body_is_refused(name: str, data: st.DataObject, body: bytes) -> None:
    case, clock = CASES[name], FrozenClock()
    place = data.draw(st.integers(0, len(body) - 1))
    flipped = bytes([body[place] ^ data.draw(st.integers(1, 255))])
    for other in (body[:place] + flipped + body[place + 1 :], body[:place], body + flipped, flipped + body):
        assert not replace(case.signed(clock, body=body), body=other).passes(case.made(clock))


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.is_timed])
@OFTEN
@given(seconds=st.floats(0.001, 1e8), sign=st.sampled_from([-1, 1]), body=BODIES)
def test_a_time_beyond_the_tolerance_is_refused(name: str, seconds: float, sign: int, body: bytes) -> None:
    case, clock = CASES[name], FrozenClock()
    good = case.signed(clock, body=body)
    clock.pass_s(sign * (case.settings.get("tolerance_s", 300) + seconds))
    assert not good.passes(case.made(clock))


@FORMS
@OFTEN
@given(body=BODIES, time=st.integers(0, 2**53))
def test_another_secret_is_refused(name: str, body: bytes, time: int) -> None:
    case, clock = CASES[name], FrozenClock(time)
    assert case.signed(clock, case.secrets[1], body).passes(case.made(clock, *case.secrets))
    assert not case.signed(clock, case.secrets[1], body).passes(case.made(clock, case.secrets[0]))


@FORMS
@OFTEN
@given(data=st.data(), body=BODIES)
def test_anything_at_all_is_refused(name: str, data: st.DataObject, body: bytes) -> None:
    case, clock = CASES[name], FrozenClock()
    names = [key for key, _ in case.signed(clock).headers] or ["x-api-key"]
    pairs = data.draw(st.lists(st.tuples(st.sampled_from(names), st.text(CHARACTERS)), max_size=6))
    token = data.draw(st.none() | st.text(CHARACTERS))
    assert not Request(tuple(pairs), body, token).passes(case.made(clock))
