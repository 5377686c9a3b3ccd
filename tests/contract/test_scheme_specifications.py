"""Each scheme against what its own specification publishes, and what only that scheme has to bear."""

import base64
from dataclasses import replace

import pytest

from producers.schemes.comparing import any_one_of, one_of
from producers.schemes.encodings import from_base64, from_hex
from producers.schemes.signing import Signer
from tests.frozen_clock import FrozenClock
from tests.signed_requests import BODY, CASES, Request, digest, standard

STANDARD, STRIPE, GITHUB = CASES["standard_webhooks"], CASES["stripe"], CASES["github"]
LARGE = (
    b"This is a test using a larger than block-size key and a larger than block-size data. "
    b"The key needs to be hashed before being used by the HMAC algorithm."
)
OTHER = base64.b64encode(b"\0" * 32).decode()


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock()


def with_signature(request: Request, value: str) -> Request:
    return request.with_header(request.headers[-1][0], value)


@pytest.mark.parametrize(
    ("key", "data", "expected"),
    [
        (
            b"\x0b" * 20,
            b"Hi There",
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
        (
            b"Jefe",
            b"what do ya want for nothing?",
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        ),
        (
            b"\xaa" * 20,
            b"\xdd" * 50,
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe",
        ),
        (
            bytes(range(1, 26)),
            b"\xcd" * 50,
            "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b",
        ),
        (
            b"\xaa" * 131,
            b"Test Using Larger Than Block-Size Key - Hash Key First",
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
        (
            b"\xaa" * 131,
            LARGE,
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
        ),
    ],
)
def test_hmac_gives_what_rfc_4231_does(key: bytes, data: bytes, expected: str) -> None:
    """Its section 4, without test case 5, which is cut to 128 bits."""
    for _ in range(2):  # a key that is taken in once signs again and again
        assert [one.hex() for one in Signer([b"other", key]).sign(data)][1] == expected
    assert [one.hex() for one in Signer([key]).sign_after(data[:3], data[3:])] == [expected]


def test_standard_webhooks_takes_the_published_request() -> None:
    """The signature that the project's own libraries are tested with."""
    request = Request(
        (
            ("webhook-id", "msg_p5jXN8AQM9LWM0D4loKWxJek"),
            ("webhook-timestamp", "1614265330"),
            ("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="),
        ),
        b'{"test": 2432232314}',
    )
    published = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    assert request.passes(STANDARD.made(FrozenClock(1_614_265_330_000_000), published))
    assert not request.passes(STANDARD.made(FrozenClock(1_614_265_330_000_000)))
    assert not request.passes(STANDARD.made(FrozenClock(1_614_265_631_000_000), published))


def test_standard_webhooks_takes_one_right_signature_of_several(clock: FrozenClock) -> None:
    good = STANDARD.signed(clock)
    right = good.headers[-1][1]
    for several in (
        f"v1,{OTHER} {right}",
        f"{right} v1,{OTHER}",
        f"v1a,{OTHER} v2,x {right}",
        f"{right} {right}",
    ):
        assert with_signature(good, several).passes(STANDARD.made(clock))


def test_standard_webhooks_looks_at_v1_only(clock: FrozenClock) -> None:
    good = STANDARD.signed(clock)
    signature = good.headers[-1][1].removeprefix("v1,")
    for version in ("v1a", "v2", "V1", "v0", "v11", ""):
        assert not with_signature(good, f"{version},{signature}").passes(STANDARD.made(clock))


@pytest.mark.parametrize("extra", [" ", " v1", " x", " ,", "  v2,x", " v2,", " ,x"])
def test_a_malformed_entry_spoils_the_right_one_beside_it(clock: FrozenClock, extra: str) -> None:
    good = STANDARD.signed(clock)
    right = good.headers[-1][1]
    assert not with_signature(good, right + extra).passes(STANDARD.made(clock))
    assert not with_signature(good, f"{extra} {right}").passes(STANDARD.made(clock))


def test_a_list_without_end_is_not_compared(clock: FrozenClock) -> None:
    """Thousands of signatures in one header would each cost a comparison."""
    for case, entry, joint in ((STANDARD, f"v1,{OTHER}", " "), (STRIPE, "v1=" + "0" * 64, ",")):
        good = case.signed(clock)
        right = good.headers[-1][1]
        assert with_signature(good, joint.join([right, *[entry] * 10])).passes(case.made(clock))
        assert not with_signature(good, joint.join([right, *[entry] * 16])).passes(case.made(clock))


def test_what_standard_webhooks_signed_can_be_cut_in_one_way_only(clock: FrozenClock) -> None:
    secret, time = STANDARD.secrets[0], str(clock.now_us() // 1_000_000)
    assert not standard(secret, BODY, clock.now_us(), f"msg.{time}").passes(STANDARD.made(clock))
    assert not standard(secret, BODY, clock.now_us(), "").passes(STANDARD.made(clock))
    signed = standard(secret, BODY, clock.now_us(), f"msg.{time}")
    cut_earlier = replace(signed.with_header("webhook-id", "msg"), body=f"{time}.".encode() + BODY)
    assert cut_earlier.passes(STANDARD.made(clock))  # why the first of these is refused: it has two readings


def test_what_has_no_separator_can_be_cut_in_one_way_only(clock: FrozenClock) -> None:
    for name in ("oura", "whoop"):
        case = CASES[name]
        digits = case.signed(clock, body=b"7" + BODY)
        ((header, time),) = [pair for pair in digits.headers if "timestamp" in pair[0]]
        assert digits.passes(case.made(clock))
        assert not replace(digits.with_header(header, time + "7"), body=BODY).passes(case.made(clock))
        assert not replace(
            digits.with_header(header, time[:-1]), body=time[-1:].encode() + digits.body
        ).passes(case.made(clock))


def test_github_takes_the_published_request() -> None:
    """From "Testing the webhook payload validation" in GitHub's documentation."""
    signature = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    request = Request((("x-hub-signature-256", signature),), b"Hello, World!")
    assert request.passes(GITHUB.made(None, "It's a Secret to Everybody"))
    assert not replace(request, body=b"Hello, World?").passes(GITHUB.made(None, "It's a Secret to Everybody"))


def stripe(value: str) -> Request:
    return Request((("stripe-signature", value),))


def test_stripe_takes_one_right_v1_of_several_and_ignores_others(clock: FrozenClock) -> None:
    time = str(clock.now_us() // 1_000_000)
    right = digest(STRIPE.secrets[0].encode(), f"{time}.".encode(), BODY).hex()
    wrong = "0" * 64
    for passing in (f"v1={wrong},v1={right}", f"v1={right},v1={wrong}", f"v1={right},v0={wrong}"):
        assert stripe(f"t={time},{passing}").passes(STRIPE.made(clock))
    assert stripe(f"v1={right},t={time}").passes(STRIPE.made(clock))
    for failing in (f"v0={right}", f"v2={right}", f"V1={right}", f"v1={wrong},v0={right}"):
        assert not stripe(f"t={time},{failing}").passes(STRIPE.made(clock))
    assert not stripe(f"t={time}").passes(STRIPE.made(clock))


def test_stripe_takes_the_whole_secret_as_text(clock: FrozenClock) -> None:
    secret = STANDARD.secrets[0]  # which another scheme would decode
    assert STRIPE.signed(clock, secret).passes(STRIPE.made(clock, secret))
    assert not STRIPE.signed(clock, secret.removeprefix("whsec_")).passes(STRIPE.made(clock, secret))


@pytest.mark.parametrize("extra", [",", ",x", ",v0=", ",=x", ", v0=x,", ",t=1780000000", ",t=1"])
def test_stripe_refuses_a_malformed_element_and_a_second_time(clock: FrozenClock, extra: str) -> None:
    good = STRIPE.signed(clock)
    assert not with_signature(good, good.headers[-1][1] + extra).passes(STRIPE.made(clock))


@pytest.mark.parametrize("name", ["hmac_sha256", "oura", "github"])
def test_hex_is_taken_in_either_case(clock: FrozenClock, name: str) -> None:
    good = CASES[name].signed(clock)
    prefix, equals, digits = good.headers[-1][1].rpartition("=")
    for spelling in (digits.upper(), digits.lower(), digits[:32].upper() + digits[32:].lower()):
        assert with_signature(good, prefix + equals + spelling).passes(CASES[name].made(clock))


def test_a_prefix_counts_to_the_letter(clock: FrozenClock) -> None:
    good = GITHUB.signed(clock)
    for prefix in ("", "SHA256=", "sha256:", "sha256= ", "sha512="):
        signature = good.headers[-1][1].replace("sha256=", prefix)
        assert not with_signature(good, signature).passes(GITHUB.made(clock))


def test_a_token_is_compared_whole(clock: FrozenClock) -> None:
    case, token = CASES["url_token"], CASES["url_token"].secrets[0]
    for wrong in (
        "",
        token[:-1],
        token + "x",
        token.upper(),
        f"{token}/",
        f"{token}\0",
        "ß",
        "😴" * 9,
        "x" * 60_000,
    ):
        assert not Request(token=wrong).passes(case.made(clock))


def test_nothing_is_never_what_is_expected() -> None:
    """Should an empty key ever come past the settings."""
    assert not one_of(b"", [b""])
    assert not any_one_of([b"", b""], [b"", b"key"])
    assert not any_one_of([], [b"key"])


def test_bytes_have_one_spelling_in_base64_and_two_in_hex() -> None:
    assert from_base64("AAE=") == b"\0\1"
    assert from_hex("aB") == from_hex("Ab") == b"\xab"
    for text in ("AAF=", "AAE", "AAE==", "AAE=\n", " AAE=", "AA-_", "AAE=AAE=", "A", "ß", "=", ""):
        assert from_base64(text) == b"", text
    for text in ("a", "0x0a", " ab", "ab ", "a b", "ß", "\u0661\u0661", "-1", ""):
        assert from_hex(text) == b"", text
