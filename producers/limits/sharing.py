"""Telling other relays what was counted here, and hearing what they counted, by way of Redis.

All of it happens beside the requests, which only ever look at memory. Every process tells its own counts as
they are, never differences: told twice, or to a Redis that has forgotten all, they are still right.

A key of a limit is a hash in Redis with a field for each process, `newest slot:requests,requests,…`, the
newest slot first. It goes seconds after the last process told it, so that a flood from many addresses does
not fill Redis either.
"""

import asyncio
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from config import metrics
from config.health import Dependency
from producers.limits.counts import SLOTS, Counts
from producers.limits.limit import Limit

log = structlog.get_logger()

MOST_KEYS: Final = 256
"""Of one limit, those that are told in one round: the ones used last."""
_AT_ONCE: Final = 32
"""Keys of one request to Redis: the event loop takes deliveries between two of them."""
_DEADLINE_S: Final = 1.0
_RETRY_S: Final = 1.0
_KEPT_ROUNDS: Final = 20
_KEPT_AT_LEAST_S: Final = 10.0
_LONGEST: Final = 512
"""Bytes of what another process tells of a key; more is not from one of us."""


class _Told(NamedTuple):
    """One key, and what is told of it."""

    counts: Counts
    key: str
    name: str
    """Of the key in Redis."""
    text: str


class Sharing:
    """Keeps the counts of several processes together, as long as there is a Redis.

    Args:
        url: Where Redis is.
        limits: Whose counts are shared.
        interval_s: Seconds between two rounds.
        dependency: Told how Redis does.
    """

    def __init__(self, url: str, limits: Sequence[Limit], interval_s: float, dependency: Dependency) -> None:
        self._url, self._limits, self._interval_s = url, limits, interval_s
        self._dependency = dependency
        self._me = os.urandom(8).hex()
        self._kept_ms = int(max(_KEPT_ROUNDS * interval_s, _KEPT_AT_LEAST_S) * 1_000)
        self._was_up: bool | None = None

    async def run(self) -> None:
        """Share until cancelled, whatever Redis does."""
        while True:
            client = _connected(self._url)
            try:
                while True:
                    await self._round(client)
                    self._note(None)
                    await asyncio.sleep(self._interval_s)
            except Exception as error:  # noqa: BLE001 - whatever it is, it is not worth a request
                self._note(type(error).__name__)
            finally:
                # a new client for each attempt: nothing is left of an answer that came too late
                with suppress(Exception):
                    async with asyncio.timeout(_DEADLINE_S):
                        await client.aclose()
            await asyncio.sleep(_RETRY_S)

    async def _round(self, client: Redis) -> None:
        told = [one for limit in self._limits for one in _to_tell(limit)]
        if not told:
            async with asyncio.timeout(_DEADLINE_S):
                await client.ping()
        for start in range(0, len(told), _AT_ONCE):
            async with asyncio.timeout(_DEADLINE_S):
                await self._exchange(client, told[start : start + _AT_ONCE])

    async def _exchange(self, client: Redis, told: Sequence[_Told]) -> None:
        pipeline = client.pipeline(transaction=False)
        for one in told:
            pipeline.hset(one.name, self._me, one.text)
            pipeline.pexpire(one.name, self._kept_ms)
            pipeline.hgetall(one.name)
        answers: list[Any] = await pipeline.execute()
        old = client.pipeline(transaction=False)
        for one, fields in zip(told, answers[2::3], strict=True):
            for field in self._take_in(one, fields):
                old.hdel(one.name, field)
        if len(old):
            await old.execute()

    def _take_in(self, told: _Told, fields: Mapping[bytes, bytes]) -> list[bytes]:
        """Add up what the others told.

        Returns:
            The fields of processes that have told nothing for a whole window.
        """
        elsewhere: dict[int, int] = {}
        old = []
        oldest = told.counts.slot() - SLOTS
        for field, text in fields.items():
            if field == self._me.encode():
                continue
            heard = _heard(text)
            if max(heard, default=oldest - 1) < oldest:
                old.append(field)
            for slot, requests in heard.items():
                elsewhere[slot] = elsewhere.get(slot, 0) + requests
        if elsewhere:
            told.counts.hear(told.key, elsewhere)
        return old

    def _note(self, problem: str | None) -> None:
        """Tell how Redis does, in the log only when that changes."""
        up = problem is None
        metrics.REDIS_UP.set(up)
        if problem is None:
            self._dependency.succeeded()
        else:
            self._dependency.failed(problem)
        if up != self._was_up:
            if up:
                log.info("limits_shared")
            else:
                log.warning("limits_alone", error=problem)
        self._was_up = up


def _connected(url: str) -> Redis:
    return Redis.from_url(
        url,
        protocol=2,  # what Redis 6.2 and everything that is like it speak
        socket_timeout=_DEADLINE_S,
        socket_connect_timeout=_DEADLINE_S,
        retry=Retry(NoBackoff(), 0),
    )


def _to_tell(limit: Limit) -> list[_Told]:
    counts = limit.counts
    prefix = f"session-relay:limit:{limit.by}:{counts.rate.window_s}:"
    newest, latest = counts.latest(MOST_KEYS)
    return [
        _Told(counts, key, prefix + key, f"{newest}:{','.join(map(str, here))}")
        for key, here in latest.items()
    ]


def _heard(text: bytes) -> dict[int, int]:
    """Requests by slot; nothing if it is not what one of us tells."""
    if len(text) > _LONGEST:
        return {}
    newest, _, counts = text.partition(b":")
    try:
        return {int(newest) - age: max(0, int(one)) for age, one in enumerate(counts.split(b","))}
    except ValueError:
        return {}
