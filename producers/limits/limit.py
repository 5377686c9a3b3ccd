"""A limit as the path of a delivery meets it: it lets pass, or refuses with what the sender should know."""

from math import ceil
from typing import Final, Literal

from config import metrics
from config.clock import Clock
from config.rates import Rate
from producers.delivery import Headers, RateLimited
from producers.limits.client import ClientAddress
from producers.limits.counts import Counts

MAX_ADDRESSES: Final = 65_536
"""30 MB of them; 50 MB where other relays count every one of them too."""


class Limit:
    """One rate for each of several keys.

    Args:
        by: What the keys are.
        rate: What each may do.
        clock: Its monotonic time counts.
        max_keys: Keys that are remembered.
    """

    def __init__(self, by: Literal["address", "source"], rate: Rate, clock: Clock, max_keys: int) -> None:
        self.by: Final = by
        self.counts = Counts(rate, clock, max_keys)
        self._policy = f'"{by}";q={rate.requests};w={rate.window_s}'
        self._limited = metrics.RELAY_LIMITED.labels(by)

    def check(self, key: str) -> None:
        """Count one request.

        Raises:
            RateLimited: There were too many; this one is not counted.
        """
        wait_s = self.counts.take(key)
        if wait_s is not None:
            self._limited.inc()
            raise RateLimited(self.by, self._policy, max(1, ceil(wait_s)))


class AddressLimit:
    """The limit of addresses, asked before anything is proven.

    Args:
        limit: Counts them.
        client: Says whose address counts.
    """

    def __init__(self, limit: Limit, client: ClientAddress) -> None:
        self._limit, self._client = limit, client

    def check(self, peer: str, headers: Headers) -> None:
        """Count one request.

        Args:
            peer: The other end of the connection, `address:port`.
            headers: As they were sent.

        Raises:
            RateLimited: There were too many from there.
        """
        self._limit.check(self._client.of(peer, headers))


class SourceLimit:
    """The limit of one source, asked once a delivery has proven where it comes from.

    Args:
        limit: Counts this source, perhaps beside others.
        source: The source's name.
    """

    def __init__(self, limit: Limit, source: str) -> None:
        self._limit, self._source = limit, source

    def check(self) -> None:
        """Count one request.

        Raises:
            RateLimited: There were too many of this source.
        """
        self._limit.check(self._source)
