"""Telling at the start of spool files that nobody will drain: what they hold is promised, and waits."""

import sqlite3
from pathlib import Path

import structlog

from producers.spool.file import SpoolFile
from producers.spool.place import FILES, is_taken

log = structlog.get_logger()


def warn_of_leftovers(directory: Path, own: Path | None = None) -> None:
    """Warn of each file that holds something and that no living process has.

    Args:
        directory: Where they are, if it is there.
        own: The file that this process drains by itself, if any.
    """
    for path in sorted(directory.glob(FILES)):
        try:
            if path == own or is_taken(path):
                continue
            with SpoolFile(path) as file:
                held = file.held()
        except (OSError, sqlite3.Error) as error:
            log.warning("spool_unreadable", path=str(path), error=str(error))
            continue
        if held.events or held.set_aside:
            log.warning(
                "spool_without_owner",
                path=str(path),
                events=held.events,
                set_aside=held.set_aside,
                drain=f"session-relay spool drain {path}",
            )
