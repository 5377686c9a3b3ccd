"""How a log ends, for who must find out from a report alone why a process failed."""

from pathlib import Path
from typing import Final

_LINES: Final = 12
_FAULT_LINES: Final = 60
_FAULT: Final = "Fatal Python error"
"""With which `faulthandler` begins, before it tells where every thread stood."""


def end_of(log: Path) -> str:
    """Its last lines; where the process died of a fault below Python, all that was said of it."""
    told = log.read_text("utf-8", errors="replace")
    at = told.find(_FAULT)
    lines = told.splitlines()[-_LINES:] if at < 0 else told[at:].splitlines()[:_FAULT_LINES]
    return "\n".join(lines)
