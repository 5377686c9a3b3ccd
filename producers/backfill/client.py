"""Requests to the vendor: paced, held back while it is away, and made again while that helps."""

from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

import stamina
from aiolimiter import AsyncLimiter

from config import metrics
from config.clock import Clock
from config.health import Dependency
from config.sections import BackfillSettings
from producers.backfill.circuit import Circuit
from producers.backfill.errors import Absent, Deferred, KeyRefused, RequestFailed, WrongAddress
from producers.backfill.tally import Tally
from producers.backfill.wire import TryAgain, Wire
from producers.delivery import InvalidDelivery
from producers.sources.asleep_api import UnreadableAnswer

T = TypeVar("T")
Query = dict[str, str | int]
_FIRST_WAIT_S: Final = 0.5


class Client:
    """Asks one vendor's API.

    Args:
        backfill: Address, pace and patience.
        circuit: Is asked before each try and told how it ended.
        wire: Makes each try.
        dependency: Told how the vendor does.
        clock: For the time that requests take.
        tally: Counts requests.
    """

    def __init__(
        self,
        backfill: BackfillSettings,
        circuit: Circuit,
        wire: Wire,
        dependency: Dependency,
        clock: Clock,
        tally: Tally,
    ) -> None:
        self._settings, self._circuit, self._wire = backfill, circuit, wire
        self._dependency, self._clock, self._tally = dependency, clock, tally
        # one at a time: more would let a burst go out on top of a second's share
        self._pace = AsyncLimiter(1, 1 / backfill.rate_per_s)

    async def get(self, path: str, user_id: str, query: Query, read: Callable[[bytes], T]) -> T:
        """One answer, read.

        Args:
            path: Below the configured address; its segments are quoted already.
            user_id: Whose data is asked for.
            query: Names and values.
            read: Reads the body; raises UnreadableAnswer where another try may bring a better one.

        Raises:
            Absent: There is no such thing, or no such user.
            RequestFailed: It can't be had.
            Deferred: It was not to be had, when nothing else was either.
            VendorAway: Nothing was, for too long.
            KeyRefused: The vendor does not take the key.
            WrongAddress: It sends somewhere else.
        """
        url = self._settings.asleep_base_url + path
        headers = [(b"x-user-id", user_id.encode()), (b"timezone", b"UTC")]
        tries = _Tries(self._settings, self._clock)
        first_s = min(_FIRST_WAIT_S, self._settings.wait_max_s)
        waits = stamina.retry_context(
            on=tries.wait_of,
            attempts=None,
            timeout=None,
            wait_initial=first_s,
            wait_jitter=first_s,
            wait_max=self._settings.wait_max_s,
        )

        async def ask() -> T:
            body = await self._wire.get(url, headers, query)
            try:
                return read(body)
            except UnreadableAnswer as error:
                raise TryAgain(str(error)) from None

        try:
            async for attempt in waits:
                with attempt:
                    self._tally.repeats += attempt.num > 1
                    return await self._admitted(ask)
        except TryAgain as error:
            raise RequestFailed(error.reason) from None
        raise AssertionError("retrying ends with a value or an error")

    async def _admitted(self, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        probes = await self._circuit.admit()
        try:
            await self._pace.acquire()
            return await self._told(ask)
        except TryAgain as error:
            if probes and error.away:
                raise Deferred from None
            raise
        finally:
            if probes:
                self._circuit.settled()

    async def _told(self, ask: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Make one try, and tell everybody who counts how it ended."""
        self._tally.requests += 1
        began_s = self._clock.monotonic_s()
        try:
            value = await ask()
        except TryAgain as error:
            _count("failed" if error.away else "throttled")
            if error.away:
                self._circuit.failed()
                self._dependency.failed(error.reason)
            else:
                self._is_there()
            raise
        except (Absent, RequestFailed, InvalidDelivery) as error:
            _count("absent" if isinstance(error, Absent) else "refused")
            self._is_there()
            raise
        except (KeyRefused, WrongAddress):
            _count("refused")
            raise
        _count("good")
        metrics.BACKFILL_REQUEST_SECONDS.observe(self._clock.monotonic_s() - began_s)
        self._is_there()
        return value

    def _is_there(self) -> None:
        self._circuit.succeeded()
        self._dependency.succeeded()


class _Tries:
    """How often one request has been made in vain, and what that means for the next time."""

    def __init__(self, settings: BackfillSettings, clock: Clock) -> None:
        self._wait_max_s, self._clock = settings.wait_max_s, clock
        self._left = settings.attempts
        self._until_s = clock.monotonic_s() + settings.patience_s

    def wait_of(self, error: Exception) -> bool | float:
        """Whether to try again, and after how many seconds where the vendor has said so.

        Being told to slow down counts for nothing but time.
        """
        if not isinstance(error, TryAgain):
            return False
        self._left -= error.away
        if self._left <= 0 or (not error.away and self._clock.monotonic_s() > self._until_s):
            return False
        return True if error.retry_after_s is None else min(error.retry_after_s, self._wait_max_s)


def _count(outcome: str) -> None:
    metrics.BACKFILL_REQUESTS.labels(outcome=outcome).inc()
