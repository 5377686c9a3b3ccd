"""`stripe`: time and signatures in one header, `t=…,v1=…`.

Source: docs.stripe.com/webhooks, "Verify webhook signatures manually". The key is the whole secret,
`whsec_` included, as plain text. Only `v1` is looked at: `v0` is a test's, and taking others would let
a sender choose a weaker one. Terra signs in the same way, in `terra-signature` (docs.tryterra.co).
"""

from collections.abc import Sequence
from typing import Final

from producers.delivery import Headers
from producers.schemes.comparing import any_one_of, only_value
from producers.schemes.encodings import from_hex
from producers.schemes.signed_time import SignedTime
from producers.schemes.signing import Signer

_MAX_ELEMENTS: Final = 16
"""In one header: the time, and a signature for each key that is in force; each costs a comparison."""


class Stripe:
    """A signature of `timestamp.body` among those in the header.

    Args:
        keys: Keys that pass, several while one replaces another.
        header: The header's name in lower case.
        time: Which times are near enough.
    """

    def __init__(self, keys: Sequence[bytes], header: str, time: SignedTime) -> None:
        self._signer, self._header, self._time = Signer(keys), header, time

    def passes(self, headers: Headers, body: bytes, _token: str | None, /) -> bool:
        """Whether the time is near and one of the `v1` signatures is right under one of the keys."""
        time, given = _elements(only_value(headers, self._header))
        if not given or not self._time.is_near(time):
            return False
        return any_one_of(given, self._signer.sign_after(f"{time}.".encode(), body))


def _elements(header: str) -> tuple[str, list[bytes]]:
    """The time and the `v1` signatures; neither where an element is no `name=value`, or two are times."""
    pairs = [element.partition("=") for element in header.split(",", _MAX_ELEMENTS)]
    times = [value for name, _, value in pairs if name == "t"]
    if len(pairs) > _MAX_ELEMENTS or len(times) != 1 or not all(name and value for name, _, value in pairs):
        return "", []
    return times[0], [from_hex(value) for name, _, value in pairs if name == "v1"]
