"""`api_key`: a shared key in a header."""

from collections.abc import Sequence

from producers.delivery import Headers
from producers.schemes.comparing import one_of, only_value


class ApiKey:
    """A shared key, compared whole.

    Args:
        keys: Keys that pass, several while one replaces another.
        header: The header's name in lower case.
    """

    def __init__(self, keys: Sequence[bytes], header: str) -> None:
        self._keys, self._header = tuple(keys), header

    def passes(self, headers: Headers, _body: bytes, _token: str | None, /) -> bool:
        """Whether the header holds one of the keys."""
        return one_of(only_value(headers, self._header).encode(), self._keys)
