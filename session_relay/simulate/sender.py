"""Sends a plan's deliveries as vendors do: signed, several at once, and again until they are acknowledged."""

import asyncio
import hashlib
import hmac
import json
import ssl
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, fields
from typing import Final, Self

import httpx
import stamina

from session_relay.simulate.deliveries import Delivery, Lane
from session_relay.simulate.facts import ASLEEP
from session_relay.simulate.ledger import Ledger

_ACKNOWLEDGED: Final = frozenset({200, 202})
_AGAIN: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers after which a vendor tries again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What one source signs with; None leaves that proof out."""

    api_key: str | None = None
    signing_key: str | None = None

    def headers(self, body: bytes) -> dict[str, str]:
        """The proofs for one body: `x-api-key`, and `x-signature` as the hex HMAC-SHA256 of its bytes."""
        headers = {}
        if self.api_key is not None:
            headers["x-api-key"] = self.api_key
        if self.signing_key is not None:
            headers["x-signature"] = hmac.new(self.signing_key.encode(), body, hashlib.sha256).hexdigest()
        return headers


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How a sender goes about it.

    Attributes:
        connections: Lanes under way at once, each with a connection of its own.
        rate: Deliveries begun per second; None for as fast as they are answered.
        timeout_s: Seconds to wait for one answer.
        patience_s: Seconds for which one delivery is tried again; after that it stays unsettled.
    """

    connections: int = 32
    rate: float | None = None
    timeout_s: float = 30.0
    patience_s: float = 120.0


@dataclass(slots=True)
class Tally:
    """What the sender has done so far; read by whoever shows it."""

    sent: int = 0
    """Deliveries begun, each counted once."""
    acknowledged: int = 0
    retries: int = 0
    unsettled: int = 0
    """Deliveries given up on without an answer that settles them."""
    refused: int = 0

    def __add__(self, other: Self) -> Self:
        """Both together."""
        return type(self)(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))


class _Unsettled(Exception):
    """No answer that settles the delivery; it may be stored all the same."""

    def __init__(self, reason: str, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.retry_after_s = retry_after_s


@dataclass(slots=True)
class Pace:
    """Spreads beginnings evenly over time."""

    rate: float | None
    _next_s: float = field(default_factory=time.monotonic)

    async def turn(self) -> None:
        """Wait until the next delivery may begin."""
        if self.rate is None:
            return
        now_s = time.monotonic()
        begin_s = max(self._next_s, now_s)
        self._next_s = begin_s + 1 / self.rate
        await asyncio.sleep(begin_s - now_s)


class Sender:
    """Sends lanes to a relay and keeps the ledger.

    Args:
        url: The relay's public address, for instance `http://127.0.0.1:8080`.
        credentials: Per source, its name as in the relay's settings.
        ledger: Is told every attempt before it is made, and every answer.
        manner: How fast and how patiently.
    """

    def __init__(self, url: str, credentials: dict[str, Credentials], ledger: Ledger, manner: Manner) -> None:
        self.tally = Tally()
        self._url = url.rstrip("/")
        self._credentials = credentials
        self._ledger = ledger
        self._manner = manner
        self._pace = Pace(manner.rate)
        self._tls = ssl.create_default_context()
        self._answered = False
        self.silence: str | None = None
        """Why nothing was ever answered, once a delivery's patience was over; then no more is sent."""

    async def run(self, lanes: Iterable[Lane]) -> None:
        """Send every lane; lanes side by side, a lane's steps one after the other.

        Deliveries that nothing settled within the patience are counted, not raised.
        """
        source = iter(lanes)
        async with asyncio.TaskGroup() as workers:
            for _ in range(self._manner.connections):
                workers.create_task(self._work(source))

    async def _work(self, lanes: Iterator[Lane]) -> None:
        # A client of its own, as a pool looks at all its connections for every request.
        settings = httpx.Timeout(self._manner.timeout_s)
        async with httpx.AsyncClient(timeout=settings, verify=self._tls, trust_env=False) as client:
            for lane in lanes:  # shared: each worker takes the next one
                for step in lane:
                    if self.silence is not None:
                        return
                    async with asyncio.TaskGroup() as together:
                        for delivery in step:
                            together.create_task(self._deliver(client, delivery))

    async def _deliver(self, client: httpx.AsyncClient, delivery: Delivery) -> None:
        await self._pace.turn()
        self.tally.sent += 1
        body = delivery.body()
        tries = stamina.retry_context(
            on=_wait_of, attempts=None, timeout=self._manner.patience_s, wait_initial=0.2, wait_max=5.0
        )
        try:
            async for attempt in tries:
                with attempt:
                    self.tally.retries += attempt.num > 1
                    await self._attempt(client, delivery, body)
        except _Unsettled as last:
            self.tally.unsettled += 1
            if not self._answered:
                self.silence = str(last)

    async def _attempt(self, client: httpx.AsyncClient, delivery: Delivery, body: bytes) -> None:
        facts = delivery.facts
        headers = {"content-type": "application/json"} | self._credentials[facts.source].headers(body)
        if facts.source == ASLEEP:
            headers["x-user-id"] = facts.user_id
        place = self._ledger.attempt(facts)  # before the wire: from here on it may be stored
        try:
            answer = await client.post(f"{self._url}/webhooks/{facts.source}", content=body, headers=headers)
        except httpx.TransportError as error:
            raise _Unsettled(str(error) or type(error).__name__) from error
        self._answered, self.silence = True, None
        if answer.status_code in _ACKNOWLEDGED:
            self._ledger.acknowledge(facts, place, _event_ids(answer))
            self.tally.acknowledged += 1
        elif answer.status_code in _AGAIN:
            raise _Unsettled(f"status {answer.status_code}", _seconds(answer.headers.get("retry-after")))
        else:
            self._ledger.refuse(facts, answer.status_code)
            self.tally.refused += 1


def _wait_of(error: Exception) -> bool | float:
    """Whether to try again, and after how many seconds where the relay has said so."""
    if not isinstance(error, _Unsettled):
        return False
    return True if error.retry_after_s is None else error.retry_after_s


def _event_ids(answer: httpx.Response) -> list[str]:
    try:
        event_ids = answer.json()["event_ids"]
    except (json.JSONDecodeError, KeyError, TypeError):
        return []
    return event_ids if isinstance(event_ids, list) else []


def _seconds(retry_after: str | None) -> float | None:
    """The header's delay in seconds, 5 at most; None where it is absent or a date."""
    return min(5.0, float(retry_after)) if retry_after and retry_after.isdecimal() else None
