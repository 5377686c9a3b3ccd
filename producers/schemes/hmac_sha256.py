"""`hmac_sha256`: a signature in a header, of the body or of a time and the body.

Vendors that fit by settings alone:

- Asleep's `x-signature`: the defaults.
- Oura: hex in upper case in `x-oura-signature`, of the seconds in `x-oura-timestamp` and the body, nothing
  between them; the key is the client secret. Source: Oura's sample handler (API documentation, "Webhooks").
- WHOOP: base64 in `x-whoop-signature`, of the milliseconds in `x-whoop-signature-timestamp` and the body,
  nothing between them; the key is the client secret. Source: developer.whoop.com/docs/developing/webhooks.
- WHOOP's partner API: lower-case hex of the body in `whoop-signed`. Source: the page
  developer.whoop.com/docs/partner/tutorials/handle-webhooks.

Neither Oura nor WHOOP publishes a tolerance; ours is 300 s.
"""

from producers.delivery import Headers
from producers.schemes.comparing import one_of, only_value
from producers.schemes.encodings import Decode, from_hex
from producers.schemes.signed_time import SignedTime
from producers.schemes.signing import Signer


class WrittenSignature:
    """How a signature stands in its header.

    Args:
        header: The header's name in lower case.
        prefix: What stands before the signature, to the letter.
        decode: How the rest is read.
    """

    def __init__(self, header: str, *, prefix: str = "", decode: Decode = from_hex) -> None:
        self._header, self._prefix, self._decode = header, prefix, decode

    def read(self, headers: Headers) -> bytes:
        """The signature's bytes; empty if there is none, or not as it should stand."""
        given = only_value(headers, self._header)
        if self._prefix:
            given = given[len(self._prefix) :] if given.startswith(self._prefix) else ""
        return self._decode(given)


class HmacSha256:
    """The body's signature.

    Args:
        signer: Signs as the sender does.
        written: Where its signature stands.
    """

    def __init__(self, signer: Signer, written: WrittenSignature) -> None:
        self._signer, self._written = signer, written

    def passes(self, headers: Headers, body: bytes, _token: str | None, /) -> bool:
        """Whether the header holds the body's signature under one of the keys."""
        return one_of(self._written.read(headers), self._signer.sign(body))


class TimedHmacSha256:
    """The signature of a time and the body.

    Where nothing separates the two, a digit more or less in the time is a time far away: what was signed
    can't be cut at another place.

    Args:
        signer: Signs as the sender does.
        written: Where its signature stands.
        timestamp_header: The header of the time, in lower case.
        separator: What is signed between time and body.
        time: Which times are near enough.
    """

    def __init__(
        self,
        signer: Signer,
        written: WrittenSignature,
        *,
        timestamp_header: str,
        separator: str,
        time: SignedTime,
    ) -> None:
        self._signer, self._written = signer, written
        self._timestamp_header, self._separator, self._time = timestamp_header, separator, time

    def passes(self, headers: Headers, body: bytes, _token: str | None, /) -> bool:
        """Whether the time is near and the signature is that of time and body under one of the keys."""
        time = only_value(headers, self._timestamp_header)
        if not self._time.is_near(time):  # no secret: before the body is hashed
            return False
        head = (time + self._separator).encode()
        return one_of(self._written.read(headers), self._signer.sign_after(head, body))
