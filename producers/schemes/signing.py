"""HMAC-SHA-256 (RFC 2104) under each of several keys."""

import hmac
from collections.abc import Sequence


class Signer:
    """Signs with keys that are taken in once.

    Args:
        keys: Keys, several while one replaces another.
    """

    def __init__(self, keys: Sequence[bytes]) -> None:
        # keyed once: a copy costs less than taking the key in, and holds the lock of the interpreter
        self._keyed = [hmac.new(key, digestmod="sha256") for key in keys]

    def sign(self, body: bytes) -> list[bytes]:
        """The signature of a body under each key, 32 bytes."""
        signatures = []
        for keyed in self._keyed:
            signing = keyed.copy()
            signing.update(body)
            signatures.append(signing.digest())
        return signatures

    def sign_after(self, head: bytes, body: bytes) -> list[bytes]:
        """The signature of a head and a body, one after the other, under each key."""
        signatures = []
        for keyed in self._keyed:
            signing = keyed.copy()
            signing.update(head)
            signing.update(body)  # on its own: joining the two would copy the body
            signatures.append(signing.digest())
        return signatures
