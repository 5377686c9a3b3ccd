"""What is sent during a round, and the sender's account of it."""

import asyncio
import random
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import stamina

from session_relay.simulate import nights
from session_relay.simulate.facts import ASLEEP, GENERIC, Facts
from session_relay.simulate.ledger import Ledger
from session_relay.simulate.sender import Credentials, Manner, Sender
from session_relay.simulate.traffic import Plan
from tests.deliveries import API_KEY, SIGNING_KEY

CREDENTIALS = {
    ASLEEP: Credentials(api_key=API_KEY, signing_key=SIGNING_KEY),
    GENERIC: Credentials(signing_key=SIGNING_KEY),
}


@dataclass
class Account(Ledger):
    """The ledger, and of each event that is safe: when it was first sent, and when acknowledged."""

    begun: dict[Facts, int] = field(default_factory=dict)
    safe: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By event id, as places in the order of sending."""

    def attempt(self, facts: Facts, now: datetime | None = None) -> int:
        place = super().attempt(facts, now)
        self.begun.setdefault(facts, place)
        return place

    def acknowledge(self, facts: Facts, place: int, event_ids: Sequence[str]) -> None:
        super().acknowledge(facts, place, event_ids)
        for event_id in event_ids:
            self.safe.setdefault(event_id, (self.begun[facts], self.attempts))


class Load:
    """Vendors that send a plan's deliveries from a thread of their own, again until they are acknowledged.

    Args:
        url: The relay's.
        seed: Of the plan.
        count: Deliveries.
        rate: Of them a second.
    """

    def __init__(self, url: str, seed: int, count: int, rate: float) -> None:
        self.account = Account()
        self.problems: list[str] = []
        manner = Manner(connections=16, rate=rate, timeout_s=4, patience_s=60)
        self._sender = Sender(url, CREDENTIALS, self.account, manner)
        plan = Plan(seed=seed, run=f"{seed:08x}", now=datetime.now(UTC), sources=tuple(CREDENTIALS))
        self._lanes = plan.lanes(nights.drawn(random.Random(seed)), count)
        self._thread = threading.Thread(target=self._send, daemon=True)
        stamina.instrumentation.set_on_retry_hooks([])
        self._thread.start()

    def join(self, within_s: float) -> None:
        """Wait until all is acknowledged."""
        self._thread.join(within_s)
        if self._thread.is_alive():
            self.problems.append(f"senders were not done {within_s:g} s after the last fault")
        if self._sender.tally.unsettled:
            self.problems.append(f"{self._sender.tally.unsettled} deliveries were never acknowledged")

    def _send(self) -> None:
        try:
            asyncio.run(self._sender.run(self._lanes))
        except Exception as error:  # noqa: BLE001 - a finding, whatever it is
            self.problems.append(f"the sender failed: {error!r}")
