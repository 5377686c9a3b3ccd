"""`url_token`: for vendors that can call a bare URL and do no more.

The weakest of the proofs: whatever keeps URLs on the way, such as a proxy's log, keeps the token.
"""

from collections.abc import Sequence

from producers.delivery import Headers
from producers.schemes.comparing import one_of


class UrlToken:
    """A secret as the last part of the URL, compared whole.

    Args:
        tokens: Tokens that pass, several while one replaces another.
    """

    def __init__(self, tokens: Sequence[bytes]) -> None:
        self._tokens = tuple(tokens)

    def passes(self, _headers: Headers, _body: bytes, token: str | None, /) -> bool:
        """Whether the URL ends with one of the tokens."""
        return one_of((token or "").encode(), self._tokens)
