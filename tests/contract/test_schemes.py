"""What every verification scheme promises."""

import hmac

import pytest
from pydantic import SecretStr

from config.webhook_sources import Scheme
from producers.delivery import Unauthenticated
from producers.verify import Proof, authenticate, proof
from tests.deliveries import Sent

OLD, NEW = "the-secret-that-goes-1", "the-secret-that-comes-2"
BODY = b'{"type": "UNKNOWN", "user_id": "u"}\n'
SCHEMES = ("api_key", "hmac_sha256")


def made(scheme: str, *secrets: str, header: str | None = None) -> Proof:
    return proof(Scheme(scheme=scheme, secrets=[SecretStr(text) for text in secrets], header=header))  # type: ignore[arg-type]  # one of the names above


def right(scheme: str, secret: str, body: bytes = BODY) -> str:
    return secret if scheme == "api_key" else hmac.new(secret.encode(), body, "sha256").hexdigest()


def header_of(scheme: str) -> str:
    return {"api_key": "x-api-key", "hmac_sha256": "x-signature"}[scheme]


@pytest.fixture(params=SCHEMES)
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("secret", [OLD, NEW])
def test_each_of_several_secrets_passes(scheme: str, secret: str) -> None:
    assert made(scheme, OLD, NEW).passes(Sent((header_of(scheme), right(scheme, secret))), BODY)


def test_another_secret_fails(scheme: str) -> None:
    assert not made(scheme, NEW).passes(Sent((header_of(scheme), right(scheme, OLD))), BODY)


def test_the_header_can_be_named(scheme: str) -> None:
    named = made(scheme, OLD, header="X-Proof")
    assert named.passes(Sent(("x-proof", right(scheme, OLD))), BODY)
    assert not named.passes(Sent((header_of(scheme), right(scheme, OLD))), BODY)


@pytest.mark.parametrize(
    "given", ["", " ", "ß", "0" * 64, "0" * 63, "sha256=", "'\"\\", "\x7f", "x" * 60_000, "😴" * 64]
)
def test_malformed_proof_fails_and_never_raises(scheme: str, given: str) -> None:
    assert not made(scheme, OLD).passes(Sent((header_of(scheme), given)), BODY)


def test_a_missing_or_unreadable_header_fails(scheme: str) -> None:
    assert not made(scheme, OLD).passes(Sent(), BODY)
    assert not made(scheme, OLD).passes(Sent(unreadable=(header_of(scheme),)), BODY)


def test_a_header_that_comes_twice_fails(scheme: str) -> None:
    good = (header_of(scheme), right(scheme, OLD))
    assert not made(scheme, OLD).passes(Sent(good, good), BODY)


def test_a_secret_beyond_ascii_works(scheme: str) -> None:
    assert made(scheme, "schlüssel-zum-schlaf").passes(
        Sent((header_of(scheme), right(scheme, "schlüssel-zum-schlaf"))), BODY
    )


def test_a_signature_is_of_these_very_bytes() -> None:
    one = made("hmac_sha256", OLD)
    signature = right("hmac_sha256", OLD)
    assert one.passes(Sent(("x-signature", signature.upper())), BODY)
    for other in (BODY.strip(), BODY + b" ", b""):
        assert not one.passes(Sent(("x-signature", signature)), other)


def test_every_listed_scheme_must_pass() -> None:
    both = [made("api_key", OLD), made("hmac_sha256", NEW)]
    key, signature = ("x-api-key", OLD), ("x-signature", right("hmac_sha256", NEW))
    authenticate(both, Sent(key, signature), BODY)
    for headers in (Sent(key), Sent(signature), Sent(), Sent(key, ("x-signature", "0" * 64))):
        with pytest.raises(Unauthenticated):
            authenticate(both, headers, BODY)


def test_none_lets_anybody_in_but_no_scheme_at_all_lets_nobody() -> None:
    authenticate([made("none")], Sent(), BODY)
    with pytest.raises(Unauthenticated):
        authenticate([], Sent(), BODY)
