"""What every verification scheme is: a question that has only two answers."""

from typing import Protocol

from producers.delivery import Headers


class Proof(Protocol):
    """One scheme with its keys."""

    def passes(self, headers: Headers, body: bytes, token: str | None, /) -> bool:
        """Whether the delivery proves what this scheme asks for; never raises, whatever is sent.

        Args:
            headers: As they were sent.
            body: Its very bytes.
            token: The last part of the URL, where one was given.
        """
        ...
