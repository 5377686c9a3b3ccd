"""Taking a proof from its header, and comparing it in constant time."""

import hmac
from collections.abc import Sequence

from producers.delivery import Headers


def only_value(headers: Headers, name: str) -> str:
    """The header's value; empty if it is absent or comes twice: two readers could take different ones."""
    values = headers.get_all(name)
    return values[0] if len(values) == 1 else ""


def one_of(given: bytes, expected: Sequence[bytes]) -> bool:
    """Whether what was given is one of what is expected; nothing never is."""
    passed = False
    for secret in expected:  # all of them, so that time doesn't tell which one it was
        passed |= hmac.compare_digest(given, secret)
    return passed and given != b""


def any_one_of(given: Sequence[bytes], expected: Sequence[bytes]) -> bool:
    """Whether at least one of several that were given is one of what is expected."""
    passed = False
    for one in given:  # likewise
        passed |= one_of(one, expected)
    return passed
