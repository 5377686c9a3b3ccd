"""`github`: `x-hub-signature-256: sha256=…`, which others have taken over from GitHub.

Source: docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries. No time is signed: a
recorded delivery passes for ever, and its repeat has no second effect.
"""

from collections.abc import Sequence

from producers.schemes.hmac_sha256 import HmacSha256, WrittenSignature
from producers.schemes.signing import Signer


class GitHub(HmacSha256):
    """The body's signature in hex after `sha256=`.

    Args:
        keys: Keys that pass, several while one replaces another.
        header: The header's name in lower case.
    """

    def __init__(self, keys: Sequence[bytes], header: str) -> None:
        super().__init__(Signer(keys), WrittenSignature(header, prefix="sha256="))
