"""A request and its answer as the server hands them over (RSGI 1.x)."""

from typing import Protocol

from producers.body import Incoming
from producers.delivery import Headers


class Scope(Protocol):
    """What is known of a request before its body (RSGI 1.x)."""

    @property
    def method(self) -> str:
        """The method."""
        ...

    @property
    def path(self) -> str:
        """The path, percent-decoded, without the query."""
        ...

    @property
    def query_string(self) -> str:
        """The query as it came, without its question mark."""
        ...

    @property
    def client(self) -> str:
        """The other end of the connection, `address:port`."""
        ...

    @property
    def headers(self) -> Headers:
        """The headers."""
        ...


class Application(Protocol):
    """What answers requests."""

    async def __rsgi__(self, scope: Scope, exchange: "Exchange") -> None:
        """Answer one request."""
        ...


class Exchange(Incoming, Protocol):
    """A request's body, and where its answer goes."""

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Send the whole answer."""
        ...
