"""Shows files as they arrive: a progress bar on a terminal, a line now and then elsewhere."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

LINE_EVERY_S = 5.0


class Arrivals:
    """Counts the POMs and jars of one resolve; a context manager, shown on standard error.

    Args:
        jars: How many jars there will be.
        present: How many of them an interrupted download left.
        say: Takes a line where standard error is not a terminal.
    """

    def __init__(self, *, jars: int, present: int, say: Callable[[str], None]) -> None:
        self._say = say
        self._jars = jars
        self._arrived = {"jar": present, "pom": 0}
        self._size_bytes = 0
        self._line_due_s = 0.0
        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.completed}/{task.total} jars, {task.fields[note]}"),
            TimeElapsedColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._task = self._bar.add_task("Kafka from Maven Central", total=jars, completed=present, note="")

    def __enter__(self) -> Self:
        """Show the bar."""
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Leave the terminal as it was."""
        self._bar.stop()

    @contextmanager
    def file(self, name: str, _size_bytes: int) -> Iterator[Callable[[int], None]]:
        """Jgo's progress callback: yields what is to be called with the size of each chunk."""
        yield self._add
        self._arrived["jar" if name.endswith(".jar") else "pom"] += 1
        self._show()

    def _add(self, chunk_bytes: int) -> None:
        self._size_bytes += chunk_bytes
        self._show()

    def _show(self) -> None:
        note = f"{self._arrived['pom']} descriptions, {self._size_bytes / 1e6:.1f} MB"
        self._bar.update(self._task, completed=self._arrived["jar"], note=note)
        if self._bar.disable and time.monotonic() >= self._line_due_s:
            self._line_due_s = time.monotonic() + LINE_EVERY_S
            self._say(f"downloading Kafka: {self._arrived['jar']} of {self._jars} jars, {note}")
