"""One try of one request on the wire, bounded in time, size and reach, and what its answer's status means.

An answer is hostile until it has been read.
"""

import asyncio
import ssl
from http import HTTPStatus
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Final

import httpx

from producers.backfill.errors import Absent, KeyRefused, RequestFailed, WrongAddress
from producers.sources.asleep_api import is_about_the_user, is_about_what_was_asked, is_rate_limit

_AGAIN: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY})
_KEY: Final = frozenset({HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN})
_SERVER_ERROR: Final = 500
_MAX_DIGITS: Final = 9


class TryAgain(Exception):
    """No good answer, but the next try may have one.

    Args:
        reason: What was wrong, in a word or two, without an address.
        retry_after_s: Seconds that the vendor asks to wait.
        away: Whether it speaks for an outage.
    """

    def __init__(self, reason: str, *, retry_after_s: float | None = None, away: bool = True) -> None:
        super().__init__(reason)
        self.reason, self.retry_after_s, self.away = reason, retry_after_s, away


class Wire:
    """A pool of connections to the vendor.

    Args:
        key: The API key: goes with every request, and nowhere else, as no redirect is followed.
        connections: At once, kept open.
        timeout_s: Seconds from a request to the last byte of its answer.
        max_bytes: Bytes of one answer.
    """

    def __init__(self, key: str, *, connections: int, timeout_s: float, max_bytes: int) -> None:
        self._timeout_s, self._max_bytes = timeout_s, max_bytes
        self._http = httpx.AsyncClient(
            # nothing compressed: what a few bytes unfold to would have no bound
            headers={"x-api-key": key, "accept": "application/json", "accept-encoding": "identity"},
            timeout=timeout_s,
            limits=httpx.Limits(max_connections=connections, max_keepalive_connections=connections),
            follow_redirects=False,
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # one user's never goes with another
            trust_env=False,  # no proxy and no .netrc that nobody thought of
            verify=ssl.create_default_context(),
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def get(self, url: str, headers: list[tuple[bytes, bytes]], query: dict[str, str | int]) -> bytes:
        """The body of an answer of status 200.

        Raises:
            TryAgain: It may come yet.
            Absent: The vendor's way to say that it knows no such user or session.
            RequestFailed: It will not come.
            KeyRefused: The vendor does not take the key.
            WrongAddress: It sends somewhere else.
        """
        request = self._http.build_request("GET", url, headers=headers, params=query)
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._answer(request)
        except (httpx.TimeoutException, TimeoutError):
            raise TryAgain("too slow") from None
        except httpx.HTTPError as error:
            raise TryAgain(type(error).__name__) from None  # its text may tell the address, and a session

    async def _answer(self, request: httpx.Request) -> bytes:
        response = await self._http.send(request, stream=True)
        try:
            body = await self._body(response)
        finally:
            await response.aclose()
        status = response.status_code
        if status == HTTPStatus.OK:
            return body
        if status >= _SERVER_ERROR or status in _AGAIN:
            raise TryAgain(f"status {status}", retry_after_s=_retry_after_s(response))
        if status == HTTPStatus.TOO_MANY_REQUESTS or (status == HTTPStatus.FORBIDDEN and is_rate_limit(body)):
            raise TryAgain("too many requests", retry_after_s=_retry_after_s(response), away=False)
        if status == HTTPStatus.NOT_FOUND:
            if is_about_what_was_asked(body):
                raise Absent
            raise RequestFailed("status 404, in no words of the API's: see ASLEEP_BASE_URL")
        if status == HTTPStatus.UNAUTHORIZED and is_about_the_user(body):
            raise Absent
        if status in _KEY:
            raise KeyRefused(
                f"the vendor answers {status}: ASLEEP_API_KEY is wrong, or its plan or quota has ended"
            )
        if response.is_redirect:
            raise WrongAddress("the vendor sends elsewhere, where no key goes: see ASLEEP_BASE_URL")
        raise RequestFailed(f"status {status}")

    async def _body(self, response: httpx.Response) -> bytes:
        if response.headers.get("content-encoding", "identity") != "identity":
            raise TryAgain("an encoding that nobody asked for")
        body = bytearray()
        async for chunk in response.aiter_raw():
            body += chunk
            if len(body) > self._max_bytes:
                raise RequestFailed("more bytes than RELAY__MAX_BODY_BYTES")
        return bytes(body)


def _retry_after_s(response: httpx.Response) -> float | None:
    """The header's delay in seconds (RFC 9110, section 10.2.3); a date is left to the usual backoff."""
    told = response.headers.get("retry-after", "")
    return float(told) if told.isascii() and told.isdecimal() and len(told) <= _MAX_DIGITS else None
