"""Proof of origin: one class per scheme, on the raw bytes, in constant time.

Every scheme that a source lists must pass. A header that comes twice is refused: two readers of one
request could take different ones.
"""

import hmac
from collections.abc import Sequence
from typing import Protocol

from config.webhook_sources import Scheme
from producers.delivery import Headers, Unauthenticated


class Proof(Protocol):
    """One scheme with its secrets."""

    def passes(self, headers: Headers, body: bytes) -> bool:
        """Whether the delivery proves what this scheme asks for; never raises, whatever is sent."""
        ...


class ApiKey:
    """A shared key in a header, compared whole.

    Args:
        secrets: Keys that pass, several while one replaces another.
        header: Its name in lower case.
    """

    def __init__(self, secrets: Sequence[bytes], header: str) -> None:
        self._secrets, self._header = tuple(secrets), header

    def passes(self, headers: Headers, body: bytes) -> bool:  # noqa: ARG002 - a key signs nothing
        """Whether the header holds one of the keys."""
        given = _only_value(headers, self._header)
        return _one_of(given, self._secrets)


class HmacSha256:
    """HMAC-SHA256 (RFC 2104) of the raw body as hex in a header; either case of hex digits."""

    def __init__(self, secrets: Sequence[bytes], header: str) -> None:
        # keyed once: a copy costs less than taking the key in, and holds the lock of the interpreter
        self._keyed, self._header = [hmac.new(key, digestmod="sha256") for key in secrets], header

    def passes(self, headers: Headers, body: bytes) -> bool:
        """Whether the header holds the body's signature under one of the secrets."""
        given = _only_value(headers, self._header).lower()
        signatures = []
        for keyed in self._keyed:
            signing = keyed.copy()
            signing.update(body)
            signatures.append(signing.hexdigest().encode())
        return _one_of(given, signatures)


class Anybody:
    """No proof at all: for trials; settings refuse it in production."""

    def passes(self, headers: Headers, body: bytes) -> bool:  # noqa: ARG002 - the protocol's
        """Let everybody in."""
        return True


def _only_value(headers: Headers, name: str) -> bytes:
    values = headers.get_all(name)
    return values[0].encode() if len(values) == 1 else b""


def _one_of(given: bytes, expected: Sequence[bytes]) -> bool:
    passed = False
    for secret in expected:  # all of them, so that time doesn't tell which one it was
        passed |= hmac.compare_digest(given, secret)
    return passed and given != b""


def proof(scheme: Scheme) -> Proof:
    """The proof that a configured scheme asks for."""
    secrets = [secret.get_secret_value().encode() for secret in scheme.secrets]
    match scheme.scheme:
        case "api_key":
            return ApiKey(secrets, scheme.header or "x-api-key")
        case "hmac_sha256":
            return HmacSha256(secrets, scheme.header or "x-signature")
        case "none":
            return Anybody()


def authenticate(proofs: Sequence[Proof], headers: Headers, body: bytes) -> None:
    """Let a delivery pass, or not.

    Raises:
        Unauthenticated: One of the proofs is missing or wrong.
    """
    passed = [one.passes(headers, body) for one in proofs]  # all are tried: time doesn't tell which failed
    if not passed or not all(passed):
        raise Unauthenticated
