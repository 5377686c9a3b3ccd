"""Requests signed as each verification scheme wants it, made without the code under test."""

import base64
import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import TypeAdapter

from config.clock import Clock
from config.webhook_schemes import AnyScheme
from producers.delivery import Unauthenticated
from producers.schemes.proof import Proof
from producers.verify import authenticate, proof
from tests.deliveries import Sent
from tests.frozen_clock import FrozenClock

OLD, NEW = "the-secret-that-goes-1", "the-secret-that-comes-2"
BODY = b'{"type": "UNKNOWN", "user_id": "u"}\n'
SCHEME: TypeAdapter[AnyScheme] = TypeAdapter(AnyScheme)


@dataclass(frozen=True)
class Request:
    """What reaches a scheme of one delivery."""

    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = BODY
    token: str | None = None

    def passes(self, one: Proof) -> bool:
        """Whether authentication lets it in; it may end in two ways only."""
        try:
            authenticate([one], Sent(*self.headers), self.body, self.token)
        except Unauthenticated:
            return False
        return True

    def with_header(self, name: str, *values: str) -> "Request":
        """The same with these values of one header, in its place."""
        others = tuple(pair for pair in self.headers if pair[0] != name)
        return replace(self, headers=others + tuple((name, value) for value in values))


Sign = Callable[[str, bytes, int], Request]
"""Secret, body and time in microseconds to the request that a sender makes of them."""


@dataclass(frozen=True)
class Case:
    """One scheme in one setting, and how a sender of that kind signs."""

    settings: Mapping[str, Any]
    sign: Sign
    header: str | None = None
    """Where its proof stands."""
    secrets: tuple[str, str] = (OLD, NEW)
    is_timed: bool = False
    is_caseless: bool = False
    """Whether capitals in the header are as good."""
    signs_body: bool = True
    malformed: tuple[str, ...] = field(default=())
    """Values of its header that are wrong in a way of its own."""

    def made(self, clock: Clock | None = None, *secrets: str, **settings: Any) -> Proof:
        """The proof, with the first secret unless others are told."""
        told = {**self.settings, **settings, "secrets": secrets or self.secrets[:1]}
        return proof(SCHEME.validate_python(told), clock or FrozenClock())

    def signed(self, clock: FrozenClock, secret: str | None = None, body: bytes = BODY) -> Request:
        """A request that passes."""
        return self.sign(secret or self.secrets[0], body, clock.now_us())


def digest(key: bytes, *parts: bytes) -> bytes:
    return hmac.digest(key, b"".join(parts), "sha256")


def _oura(secret: str, body: bytes, now_us: int) -> Request:
    time = str(now_us // 1_000_000)
    signature = digest(secret.encode(), time.encode(), body).hex().upper()
    return Request((("x-oura-timestamp", time), ("x-oura-signature", signature)), body)


def _whoop(secret: str, body: bytes, now_us: int) -> Request:
    time = str(now_us // 1_000)
    signature = base64.b64encode(digest(secret.encode(), time.encode(), body)).decode()
    return Request((("x-whoop-signature", signature), ("x-whoop-signature-timestamp", time)), body)


def _separated(secret: str, body: bytes, now_us: int) -> Request:
    time = str(now_us // 1_000_000)
    signature = digest(secret.encode(), time.encode(), b":", body).hex()
    return Request((("x-time", time), ("x-signature", "v0=" + signature)), body)


def standard(secret: str, body: bytes, now_us: int, message_id: str = "msg_1") -> Request:
    time = str(now_us // 1_000_000)
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = base64.b64encode(digest(key, f"{message_id}.{time}.".encode(), body)).decode()
    headers = (
        ("webhook-id", message_id),
        ("webhook-timestamp", time),
        ("webhook-signature", f"v1,{signature}"),
    )
    return Request(headers, body)


def _stripe(secret: str, body: bytes, now_us: int) -> Request:
    time = str(now_us // 1_000_000)
    signature = digest(secret.encode(), f"{time}.".encode(), body).hex()
    return Request((("stripe-signature", f"t={time},v1={signature}"),), body)


CASES: dict[str, Case] = {
    "api_key": Case(
        {"scheme": "api_key"},
        lambda secret, body, _: Request((("x-api-key", secret),), body),
        header="x-api-key",
        signs_body=False,
        malformed=("wrong", OLD[:-1], OLD + " "),
    ),
    "hmac_sha256": Case(
        {"scheme": "hmac_sha256"},
        lambda secret, body, _: Request((("x-signature", digest(secret.encode(), body).hex()),), body),
        header="x-signature",
        is_caseless=True,
        malformed=("0" * 64, "0" * 63, "0x" + "0" * 62, "g" * 64, "sha256="),
    ),
    "hmac_sha256 of time and body": Case(
        {
            "scheme": "hmac_sha256",
            "prefix": "v0=",
            "timestamp_header": "X-Time",
            "separator": ":",
            "tolerance_s": 60,
        },
        _separated,
        header="x-signature",
        is_timed=True,
        is_caseless=True,
        malformed=("v0=", "v0", "v0=v0=", "V0=" + "0" * 64, "0" * 64),
    ),
    "oura": Case(
        {"scheme": "hmac_sha256", "header": "x-oura-signature", "timestamp_header": "x-oura-timestamp"},
        _oura,
        header="x-oura-signature",
        is_timed=True,
        is_caseless=True,
        malformed=("0" * 64,),
    ),
    "whoop": Case(
        {
            "scheme": "hmac_sha256",
            "header": "x-whoop-signature",
            "encoding": "base64",
            "timestamp_header": "x-whoop-signature-timestamp",
            "timestamp_unit": "ms",
        },
        _whoop,
        header="x-whoop-signature",
        is_timed=True,
        malformed=("=", "A", "AAAA", "A" * 43, "A" * 43 + "=", "A" * 42 + "==", "*" * 44, "-_" * 22),
    ),
    "standard_webhooks": Case(
        {"scheme": "standard_webhooks"},
        standard,
        header="webhook-signature",
        secrets=(
            "whsec_" + base64.b64encode(b"a-key-of-24-bytes-or-more").decode(),
            "whsec_" + base64.b64encode(b"another-key-of-24-bytes-or-more").decode(),
        ),
        is_timed=True,
        malformed=("v1", "v1,", ",", "v1 ", "v1,AAA", "v1," + "A" * 43, "v1," + "A" * 43 + "=", "v1a,AAAA"),
    ),
    "github": Case(
        {"scheme": "github"},
        lambda secret, body, _: Request(
            (("x-hub-signature-256", "sha256=" + digest(secret.encode(), body).hex()),), body
        ),
        header="x-hub-signature-256",
        is_caseless=True,
        malformed=("sha256=", "sha256", "sha1=" + "0" * 40, "sha256=" + "0" * 64, "=", "0" * 64),
    ),
    "stripe": Case(
        {"scheme": "stripe"},
        _stripe,
        header="stripe-signature",
        secrets=("whsec_the-secret-that-goes-1", "whsec_the-secret-that-comes-2"),
        is_timed=True,
        is_caseless=True,
        malformed=(
            "t=",
            "t",
            "t=,v1=",
            "v1=" + "0" * 64,
            "=,=",
            "t=1780000000",
            "t=1780000000,v1=" + "0" * 64,
        ),
    ),
    "url_token": Case(
        {"scheme": "url_token"},
        lambda secret, body, _: Request((), body, secret),
        signs_body=False,
    ),
}
"""Every scheme that proves something; some in more than one setting."""
