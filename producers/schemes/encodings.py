"""Signatures as text, read strictly: what can't be a signature is an empty one, which never passes."""

import binascii
from collections.abc import Callable
from typing import Final, Literal

Decode = Callable[[str], bytes]
"""Text to bytes; empty where the text is not of the encoding."""


def from_hex(text: str) -> bytes:
    """Hex digits of either case, and nothing else."""
    try:
        return binascii.unhexlify(text)
    except ValueError:  # an odd number, another character, not ASCII
        return b""


def from_base64(text: str) -> bytes:
    """RFC 4648, section 4: padded, without white space, and with no other spelling of the same bytes."""
    try:
        decoded = binascii.a2b_base64(text)
    except ValueError:
        return b""
    # the library leaves out what is foreign, and nobody reads the last bits before the padding
    return decoded if binascii.b2a_base64(decoded, newline=False).decode() == text else b""


DECODE: Final[dict[Literal["hex", "base64"], Decode]] = {"hex": from_hex, "base64": from_base64}
"""By the name that settings use."""
