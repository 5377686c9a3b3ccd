"""Authentication: every scheme that a source lists must pass."""

from collections.abc import Sequence
from typing import assert_never

from config.clock import Clock
from config.webhook_schemes import (
    AnyScheme,
    ApiKeyScheme,
    GitHubScheme,
    HmacSha256Scheme,
    NoScheme,
    StandardWebhooksScheme,
    StripeScheme,
    UrlTokenScheme,
)
from producers.delivery import Headers, Unauthenticated
from producers.schemes.anybody import Anybody
from producers.schemes.api_key import ApiKey
from producers.schemes.encodings import DECODE
from producers.schemes.github import GitHub
from producers.schemes.hmac_sha256 import HmacSha256, TimedHmacSha256, WrittenSignature
from producers.schemes.proof import Proof
from producers.schemes.signed_time import MILLISECOND_US, SECOND_US, SignedTime
from producers.schemes.signing import Signer
from producers.schemes.standard_webhooks import StandardWebhooks
from producers.schemes.stripe import Stripe
from producers.schemes.url_token import UrlToken


def proof(scheme: AnyScheme, clock: Clock) -> Proof:
    """The proof that a configured scheme asks for.

    Args:
        scheme: Its settings.
        clock: What signed times are held against.
    """
    made: Proof
    match scheme:
        case ApiKeyScheme():
            made = ApiKey(scheme.keys(), scheme.header)
        case HmacSha256Scheme():
            made = _hmac_sha256(scheme, clock)
        case StandardWebhooksScheme():
            made = StandardWebhooks(scheme.keys(), SignedTime(clock, scheme.tolerance_s))
        case GitHubScheme():
            made = GitHub(scheme.keys(), scheme.header)
        case StripeScheme():
            made = Stripe(scheme.keys(), scheme.header, SignedTime(clock, scheme.tolerance_s))
        case UrlTokenScheme():
            made = UrlToken(scheme.keys())
        case NoScheme():
            made = Anybody()
        case _:
            assert_never(scheme)
    return made


def _hmac_sha256(scheme: HmacSha256Scheme, clock: Clock) -> Proof:
    signer = Signer(scheme.keys())
    written = WrittenSignature(scheme.header, prefix=scheme.prefix, decode=DECODE[scheme.encoding])
    if scheme.timestamp_header is None:
        return HmacSha256(signer, written)
    unit_us = SECOND_US if scheme.timestamp_unit == "s" else MILLISECOND_US
    return TimedHmacSha256(
        signer,
        written,
        timestamp_header=scheme.timestamp_header,
        separator=scheme.separator,
        time=SignedTime(clock, scheme.tolerance_s, unit_us),
    )


def authenticate(proofs: Sequence[Proof], headers: Headers, body: bytes, token: str | None = None) -> None:
    """Let a delivery pass, or not.

    Raises:
        Unauthenticated: One of the proofs is missing or wrong.
    """
    passed = [one.passes(headers, body, token) for one in proofs]  # all: time doesn't tell which failed
    if not passed or False in passed:
        raise Unauthenticated
