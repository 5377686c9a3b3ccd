"""The table of a run: last on standard output, and kept on a page for people."""

import re
from collections.abc import Sequence
from typing import Final

from tests.docs.source_tree import ROOT
from tests.observe.drill import Tried

PAGE: Final = ROOT / "docs" / "operations" / "alerts-tried.md"
TABLE: Final = re.compile(r"(?<=<!-- table -->\n).*?(?=\n<!-- /table -->)", re.DOTALL)
_NEVER: Final = "never"


def table(found: Sequence[Tried]) -> str:
    """A line for each alert, in Markdown that reads as text."""
    head = ("alert", "fault", "s to firing", "s to clear")
    rows = [(one.alert, one.fault, _seconds(one.fired_s), _seconds(one.cleared_s)) for one in found]
    widths = [max(len(row[column]) for row in (head, *rows)) for column in range(len(head))]
    lines = [
        "| " + " | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) + " |"
        for row in (head, *rows)
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(lines)


def keep(found: Sequence[Tried]) -> None:
    """Write the table into the page."""
    PAGE.write_text(TABLE.sub(lambda _: table(found), PAGE.read_text("utf-8")), "utf-8")


def _seconds(told: float | None) -> str:
    return _NEVER if told is None else f"{told:.0f}"
