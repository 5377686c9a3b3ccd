"""The demo's verdict: what was sent, what became of it, and whether that is what the ledger expects."""

import json
from collections import Counter
from dataclasses import dataclass
from typing import Final

from rich.console import Console

from session_relay.simulate.compare import Comparison
from session_relay.simulate.ledger import Ledger
from session_relay.simulate.sender import Tally
from session_relay.up.observer import Standing

_SHOWN: Final = 20
"""Kinds of differences that are listed."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """One round's result.

    Attributes:
        differences: In words, without values; empty where everything is as expected.
        seconds: From the command's start to the last row compared.
    """

    tally: Tally
    standing: Standing
    comparison: Comparison
    differences: tuple[str, ...]
    seconds: float

    @property
    def good(self) -> bool:
        """Whether every acknowledged event has its effect, exactly, and nothing else is there."""
        return not self.differences and self.comparison.lost == 0

    def as_json(self) -> str:
        """The one line for programs."""
        figures = {
            "sent": self.tally.sent,
            "acknowledged": self.tally.acknowledged,
            "stored": self.standing.stored,
            "duplicates": self.standing.outcomes["duplicate"],
            "stale": self.standing.outcomes["stale"],
            "parked": self.standing.outcomes["parked"],
            "lost": self.comparison.lost,
            "seconds": round(self.seconds, 1),
        }
        return json.dumps(figures)

    def tell(self, console: Console) -> None:
        """Print it for people."""
        outcomes = self.standing.outcomes
        console.print(
            f"{self.tally.sent:,} sent, {self.tally.acknowledged:,} acknowledged, "
            f"{self.standing.stored:,} rows; {outcomes['duplicate']:,} duplicates, "
            f"{outcomes['stale']:,} stale, {outcomes['passed']:,} passed, {outcomes['parked']:,} parked; "
            f"{self.comparison.lost:,} lost; {self.seconds:.1f} s",
            soft_wrap=True,
        )
        kinds = Counter(self.differences)
        for text, count in kinds.most_common(_SHOWN):
            console.print(f"[red]difference:[/] {count:,} times: {text}", highlight=False, soft_wrap=True)
        if len(kinds) > _SHOWN:
            console.print(f"… and {len(kinds) - _SHOWN} more kinds of differences")
        if self.good:
            console.print("[green]The table is what the sender's ledger expects, field by field.[/]")


def judge(
    ledger: Ledger, tally: Tally, standing: Standing, comparison: Comparison, seconds: float
) -> Verdict:
    """Hold the accounts of sender, log and sink against each other.

    Args:
        ledger: What was sent and answered.
        tally: The sender's counts.
        standing: What the log and the sink's accounts gained by this round.
        comparison: The table against the ledger.
        seconds: How long it took.
    """
    differences = [str(difference) for difference in comparison.differences]
    if tally.unsettled:
        differences.append(f"{tally.unsettled} deliveries were never settled")
    if standing.records < ledger.acknowledged:
        differences.append(
            f"{ledger.acknowledged - standing.records} acknowledged records are not in the topic"
        )
    if standing.lag:
        differences.append(f"{standing.lag} records were not consumed")
    if standing.outcomes["parked"]:
        differences.append(f"{standing.outcomes['parked']} good records were parked")
    if tally.retries == 0 and standing.outcomes["passed"] != ledger.passed:
        differences.append(f"{standing.outcomes['passed']} records passed, not {ledger.passed}")
    if standing.unbalanced:
        differences.append(
            f"the outcomes of {len(standing.unbalanced)} partitions don't sum to their records"
        )
    return Verdict(
        tally=tally, standing=standing, comparison=comparison, differences=tuple(differences), seconds=seconds
    )
