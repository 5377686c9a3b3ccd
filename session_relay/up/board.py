"""The live table on a terminal, and plain lines elsewhere."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

from session_relay.simulate.sender import Tally
from session_relay.up.observer import OUTCOMES, Standing

_PLAIN_EVERY_S: Final = 2.0


@dataclass(slots=True)
class View:
    """What is shown; whoever knows something writes it here."""

    addresses: Mapping[str, str]
    phase: str = "starting"
    trouble: str = ""
    """Why the standing is not that of this moment."""
    tally: Tally = field(default_factory=Tally)
    standing: Standing | None = None
    started_s: float = field(default_factory=time.monotonic)
    _round_began: tuple[float, int] | None = None
    """When the present round began, and what had been acknowledged by then."""

    @property
    def elapsed_s(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started_s

    def figures(self) -> dict[str, str]:
        """Names and numbers in the order in which they are shown."""
        standing, outcomes = (
            self.standing,
            self.standing.outcomes if self.standing else dict.fromkeys(OUTCOMES, 0),
        )
        return {
            "sent": f"{self.tally.sent:,}",
            "acknowledged": f"{self.tally.acknowledged:,}",
            "stored rows": f"{standing.stored if standing else 0:,}",
            "duplicates": f"{outcomes['duplicate']:,}",
            "stale": f"{outcomes['stale']:,}",
            "passed": f"{outcomes['passed']:,}",
            "parked": f"{outcomes['parked']:,}",
            "lag": f"{standing.lag if standing else 0:,}",
            "retries": f"{self.tally.retries:,}",
            "events a second": f"{self._rate():,.0f}",
            "elapsed": f"{self.elapsed_s:,.0f} s",
        }

    def round_begins(self) -> None:
        """From now on the rate is that of a new round."""
        self._round_began = time.monotonic(), self.tally.acknowledged

    def _rate(self) -> float:
        if self._round_began is None:
            return 0.0
        began_s, already = self._round_began
        return (self.tally.acknowledged - already) / max(0.1, time.monotonic() - began_s)


class Board:
    """Shows a view: redrawn in place on a terminal, a line every two seconds elsewhere.

    Args:
        console: Where to.
        view: What; read at every `show`.
    """

    def __init__(self, console: Console, view: View) -> None:
        self._console = console
        self._view = view
        self._live = Live(console=console, auto_refresh=False) if console.is_terminal else None
        self._told_s = 0.0
        self._told = ""

    def __enter__(self) -> Self:
        """Begin to draw."""
        if self._live:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the last state on the screen."""
        if self._live:
            self._live.stop()

    def phase(self, text: str) -> None:
        """Say what is going on from now."""
        self._view.phase = text

    def show(self) -> None:
        """Draw the view as it is now."""
        if self._live:
            self._live.update(self._table(), refresh=True)
        elif time.monotonic() >= self._told_s + _PLAIN_EVERY_S or self._view.phase != self._told:
            self._told_s, self._told = time.monotonic(), self._view.phase
            figures = ", ".join(f"{name} {value}" for name, value in self._view.figures().items())
            self._console.print(f"{self._view.phase}: {figures}", soft_wrap=True)
            if self._view.trouble:
                self._console.print(self._view.trouble, soft_wrap=True, markup=False)

    def _table(self) -> Table:
        table = Table(title=f"Session Relay: {self._view.phase}", show_header=False, title_justify="left")
        table.caption = self._view.trouble or None
        table.add_column(style="bold", no_wrap=True)
        table.add_column(justify="right", min_width=10)
        table.add_column(style="bold", no_wrap=True)
        table.add_column(overflow="fold")
        figures, addresses = list(self._view.figures().items()), list(self._view.addresses.items())
        for index in range(max(len(figures), len(addresses))):
            left = figures[index] if index < len(figures) else ("", "")
            right = addresses[index] if index < len(addresses) else ("", "")
            table.add_row(*left, *right)
        return table
