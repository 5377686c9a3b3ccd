"""What every verification scheme promises."""

from dataclasses import replace

import pytest

from config.webhook_schemes import SCHEMES
from producers.delivery import Unauthenticated
from producers.verify import authenticate, proof
from tests.deliveries import Sent
from tests.frozen_clock import FrozenClock
from tests.signed_requests import BODY, CASES, SCHEME, Case, Request

NO_TIMES = (  # the last three in digits of other scripts
    "",
    " ",
    "-1",
    "+1780000000",
    "1780000000.0",
    "1.78e9",
    "0x6A18C0C0",
    "\uff11\uff17\uff18\uff10\uff10\uff10\uff10\uff10\uff10\uff10",
    "\u0661\u0667\u0668",
    "²",
)
HUGE_TIMES = ("9" * 17, "9" * 4_301, "1" + "0" * 60_000)
SPACED_TIMES = (" 1780000000", "1780000000 ", "1780 000000", "1780000000\t", "1_780_000_000")
WITH_HEADER = [name for name, case in CASES.items() if case.header]
TIMED = [name for name, case in CASES.items() if case.is_timed]


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    return CASES[request.param]


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


def test_every_scheme_is_held_to_this() -> None:
    assert {case.settings["scheme"] for case in CASES.values()} == set(SCHEMES) - {"none"}


@pytest.mark.parametrize("number", [0, 1])
def test_each_of_several_secrets_passes(case: Case, clock: FrozenClock, number: int) -> None:
    assert case.signed(clock, case.secrets[number]).passes(case.made(clock, *case.secrets))


def test_another_secret_fails(case: Case, clock: FrozenClock) -> None:
    assert not case.signed(clock, case.secrets[0]).passes(case.made(clock, case.secrets[1]))


def test_nothing_at_all_fails(case: Case, clock: FrozenClock) -> None:
    for body in (BODY, b""):
        assert not Request(body=body).passes(case.made(clock))


@pytest.mark.parametrize("name", WITH_HEADER)
def test_malformed_proof_fails_and_never_raises(name: str, clock: FrozenClock) -> None:
    case = CASES[name]
    common = ("", " ", "ß", "'\"\\", "\x7f", "x" * 60_000, "😴" * 64, ",", "=", " , ", "\u0661" * 64)
    for value in (*common, *case.malformed):
        request = case.signed(clock).with_header(case.header or "", value)
        assert not request.passes(case.made(clock)), value


def test_a_missing_doubled_or_unreadable_header_fails(case: Case, clock: FrozenClock) -> None:
    good = case.signed(clock)
    for name, value in good.headers:
        assert not good.with_header(name).passes(case.made(clock))
        assert not good.with_header(name, value, value).passes(case.made(clock))
        assert not good.with_header(name, value, "").passes(case.made(clock))
        unreadable = Sent(*good.with_header(name).headers, unreadable=(name,))
        with pytest.raises(Unauthenticated):
            authenticate([case.made(clock)], unreadable, BODY, good.token)


@pytest.mark.parametrize("name", ["api_key", "hmac_sha256", "github", "stripe"])
def test_the_header_can_be_named(name: str, clock: FrozenClock) -> None:
    case = CASES[name]
    named = case.made(clock, header="X-Proof")
    good = case.signed(clock)
    assert replace(good, headers=(("x-proof", good.headers[0][1]),)).passes(named)
    assert not good.passes(named)


@pytest.mark.parametrize("name", ["api_key", "hmac_sha256", "github", "stripe", "oura", "whoop"])
def test_a_secret_beyond_ascii_works(name: str, clock: FrozenClock) -> None:
    secret = "schlüssel-zum-schlaf"
    assert CASES[name].signed(clock, secret).passes(CASES[name].made(clock, secret))


@pytest.mark.parametrize("body", [b"", b"\xff\xfe\x00", BODY.strip(), BODY + b" ", b"\r\n" * 3])
def test_a_signature_is_of_these_very_bytes(case: Case, clock: FrozenClock, body: bytes) -> None:
    assert case.signed(clock, body=body).passes(case.made(clock))
    assert replace(case.signed(clock), body=body).passes(case.made(clock)) is not case.signs_body


@pytest.mark.parametrize("name", TIMED)
@pytest.mark.parametrize("away", [-1, 1])
def test_a_time_is_taken_up_to_the_tolerance_and_no_further(name: str, clock: FrozenClock, away: int) -> None:
    case, now = CASES[name], FrozenClock()
    tolerance_s = case.settings.get("tolerance_s", 300)
    now.pass_s(away * tolerance_s)
    assert case.signed(clock).passes(case.made(now))
    now.pass_s(away * 0.001)
    assert not case.signed(clock).passes(case.made(now))
    assert case.signed(clock).passes(case.made(now, tolerance_s=tolerance_s + 1))


@pytest.mark.parametrize("name", TIMED)
@pytest.mark.parametrize("time", [*NO_TIMES, *SPACED_TIMES, *HUGE_TIMES])
def test_what_is_no_time_fails_and_never_raises(name: str, clock: FrozenClock, time: str) -> None:
    case, good = CASES[name], CASES[name].signed(clock)
    headers = tuple((key, _with_time(value, time)) for key, value in good.headers)
    assert headers != good.headers
    assert not replace(good, headers=headers).passes(case.made(clock))


def _with_time(value: str, time: str) -> str:
    """A header's value with another time in it, wherever that stands."""
    return next(
        (value.replace(given, time) for given in ("1780000000000", "1780000000") if given in value), value
    )


def test_every_listed_scheme_must_pass(clock: FrozenClock) -> None:
    key, token = CASES["api_key"], CASES["url_token"]
    both = [key.made(clock), token.made(clock, token.secrets[1])]
    headers = Sent(*key.signed(clock).headers)
    authenticate(both, headers, BODY, token.secrets[1])
    for sent, last in ((headers, None), (Sent(), token.secrets[1]), (Sent(), None), (headers, "wrong")):
        with pytest.raises(Unauthenticated):
            authenticate(both, sent, BODY, last)


def test_none_lets_anybody_in_but_no_scheme_at_all_lets_nobody(clock: FrozenClock) -> None:
    authenticate([proof(SCHEME.validate_python({"scheme": "none"}), clock)], Sent(), BODY)
    with pytest.raises(Unauthenticated):
        authenticate([], Sent(), BODY)
