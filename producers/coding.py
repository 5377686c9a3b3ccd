"""Content codings of a body: gzip and deflate, inflated within the bound of every body (RFC 9110, 8.4.1).

A body is inflated once its proof has passed, which is over the bytes as they came: a bomb costs a stranger
a signature first, and then the relay no more than the bound.
"""

import zlib
from typing import Final

from producers.delivery import Headers, NotDecodable, TooLarge, UnsupportedCoding

NAMES: Final = ("gzip", "deflate")
_HEADER: Final = "content-encoding"
_IDENTITY: Final = "identity"
_WINDOWS: Final = {"gzip": 31, "x-gzip": 31, "deflate": 15}
"""zlib's `wbits`: a gzip wrapper, or zlib's own, which is what deflate means here."""


def check_coding(headers: Headers) -> None:
    """Let a body pass that is not coded, or in one coding that is known.

    Raises:
        UnsupportedCoding: It is in another one, or in several.
    """
    coding = headers.get(_HEADER)
    if coding is None or coding == _IDENTITY:
        return
    if coding.lower() not in {*_WINDOWS, _IDENTITY} or len(headers.get_all(_HEADER)) > 1:
        raise UnsupportedCoding


def decoded(body: bytes, headers: Headers, limit_bytes: int) -> bytes:
    """The body without its content coding.

    Args:
        body: As it came.
        headers: As they came; they have passed `check_coding`.
        limit_bytes: More is never inflated.

    Raises:
        TooLarge: Inflated it is longer than the limit.
        NotDecodable: It is not what its coding says, is cut off, or something follows it.
    """
    coding = headers.get(_HEADER)
    if coding is None or (window := _WINDOWS.get(coding.lower())) is None:
        return body
    inflating = zlib.decompressobj(window)
    try:
        plain = inflating.decompress(body, limit_bytes + 1)
    except zlib.error:
        raise NotDecodable from None
    if len(plain) > limit_bytes:
        raise TooLarge
    if (
        not inflating.eof or inflating.unused_data
    ):  # a second member too: none is sent, and many tiny ones cost
        raise NotDecodable
    return plain
