"""Rounds of traffic: each is sent, waited for until the sink has taken all of it, and compared."""

import asyncio
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Final

from config.errors import RelayError, Unavailable
from session_relay.simulate import nights
from session_relay.simulate.compare import compare
from session_relay.simulate.ledger import Ledger
from session_relay.simulate.nights import Night
from session_relay.simulate.sender import Manner, Sender, Tally
from session_relay.simulate.traffic import Plan
from session_relay.up.board import View
from session_relay.up.observer import Observer, Standing
from session_relay.up.setting import Setting
from session_relay.up.verdict import Verdict, judge

_STUCK_AFTER_S: Final = 40.0
"""A sink that takes nothing for so long while records wait is not only slow."""
_LOOK_EVERY_S: Final = 0.3


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """What is sent.

    Attributes:
        seed: Of the plan.
        count: Deliveries of the first round.
        nights: A file of nights; None for the model's.
        manner: How the first round is sent; the later ones come slowly.
    """

    seed: int
    count: int
    nights: Path | None
    manner: Manner

    def source(self, number: int) -> Iterator[Night]:
        """The nights of one round, without end.

        Raises:
            NightsError: The file can't be used.
        """
        if self.nights is not None:
            return nights.from_file(self.nights)
        return nights.drawn(Random(self.seed + number))  # noqa: S311 - repeatable nights, not a secret


class Rounds:
    """Sends rounds and judges them.

    Args:
        setting: Signed with what, and for whom.
        relay_url: Where to.
        observer: Shows what became of it.
        view: Kept up to date.
    """

    def __init__(self, setting: Setting, relay_url: str, observer: Observer, view: View) -> None:
        self._setting = setting
        self._relay_url = relay_url
        self._observer = observer
        self._view = view
        self._turn = asyncio.Lock()  # the observer's connection is one thread's at a time
        self._start: Standing | None = None
        self._earlier, self._current = Tally(), Tally()

    async def look(self) -> Standing | None:
        """Read the standing now, and show what all rounds gained so far; None where it can't be read.

        An outage is what the path has to survive, so it ends nothing here either.
        """
        self._view.tally = self._earlier + self._current
        try:
            async with self._turn:
                standing = await asyncio.to_thread(self._observer.standing)
        except Unavailable as error:
            self._view.trouble = str(error)
            return None
        self._view.trouble = ""
        if self._start:
            self._view.standing = standing.since(self._start)
        return standing

    async def send(self, traffic: Traffic, number: int) -> Verdict:
        """Send one round, wait for the sink, compare.

        A sink that takes nothing any more is a difference in the verdict.

        Raises:
            RelayError: It had not even taken what was there before.
        """
        before = await self._caught_up("waiting for the sink to take what was there before")
        if before.lag:
            raise RelayError(f"The sink takes nothing, though {before.lag} records wait.")
        self._start = self._start or before
        ledger = Ledger()
        sender = Sender(self._relay_url, self._setting.credentials, ledger, traffic.manner)
        self._earlier, self._current = self._earlier + self._current, sender.tally
        self._view.round_begins()
        self._view.phase = f"round {number}: sending {traffic.count:,} deliveries"
        await sender.run(self._plan(traffic, number).lanes(traffic.source(number), traffic.count))
        standing = await self._caught_up(f"round {number}: waiting for the sink")
        async with self._turn:
            comparison = await asyncio.to_thread(
                compare, self._observer.connection, ledger, self._setting.tenant
            )
        gained = standing.since(before)
        return judge(ledger, sender.tally, gained, comparison, self._view.elapsed_s)

    def _plan(self, traffic: Traffic, number: int) -> Plan:
        sources = tuple(self._setting.credentials)
        run = f"{self._setting.run}{number}"
        return Plan(seed=traffic.seed + number, run=run, now=datetime.now(UTC), sources=sources)

    async def _caught_up(self, phase: str) -> Standing:
        """Wait until the sink has accounted for every record in the topic, or has stopped doing so.

        Raises:
            Unavailable: Kafka or Postgres does not answer for so long.
        """
        self._view.phase = phase
        least, since_s = math.inf, time.monotonic()
        while True:
            standing = await self.look()
            if standing and standing.lag < least:
                least, since_s = standing.lag, time.monotonic()
            stuck = time.monotonic() - since_s > _STUCK_AFTER_S
            if standing and (stuck or not standing.lag):
                return standing
            if stuck:
                raise Unavailable(self._view.trouble)
            await asyncio.sleep(_LOOK_EVERY_S)
