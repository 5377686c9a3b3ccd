"""`standard_webhooks`: id, time and body, signed with base64 keys.

Source: github.com/standard-webhooks/standard-webhooks, spec/standard-webhooks.md, version 1.0.0. Of its
signatures only `v1` (HMAC-SHA-256) is looked at, never `v1a` (ed25519) or any other.
"""

from collections.abc import Sequence
from typing import Final

from producers.delivery import Headers
from producers.schemes.comparing import any_one_of, only_value
from producers.schemes.encodings import from_base64
from producers.schemes.signed_time import SignedTime
from producers.schemes.signing import Signer

_MAX_SIGNATURES: Final = 16
"""In one header: a sender needs one for each key in force, and each costs a comparison."""


class StandardWebhooks:
    """A signature of `id.timestamp.body` among those in `webhook-signature`.

    An id with a full stop is refused: the specification wants none there, so that what was signed can be
    cut in one way only.

    Args:
        keys: Keys that pass, several while one replaces another.
        time: Which times are near enough.
    """

    def __init__(self, keys: Sequence[bytes], time: SignedTime) -> None:
        self._signer, self._time = Signer(keys), time

    def passes(self, headers: Headers, body: bytes, _token: str | None, /) -> bool:
        """Whether the time is near and one of the `v1` signatures is right under one of the keys."""
        message_id = only_value(headers, "webhook-id")
        time = only_value(headers, "webhook-timestamp")
        given = _signatures(only_value(headers, "webhook-signature"))
        if not given or not message_id or "." in message_id or not self._time.is_near(time):
            return False
        head = f"{message_id}.{time}.".encode()
        return any_one_of(given, self._signer.sign_after(head, body))


def _signatures(header: str) -> list[bytes]:
    """Those of version `v1`; none at all where an entry is not `version,signature`."""
    entries = [entry.partition(",") for entry in header.split(" ", _MAX_SIGNATURES)]
    if len(entries) > _MAX_SIGNATURES or not all(version and value for version, _, value in entries):
        return []
    return [from_base64(value) for version, _, value in entries if version == "v1"]
