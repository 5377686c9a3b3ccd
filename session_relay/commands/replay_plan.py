"""What a replay is to read, as an operator is told it before, and while it runs."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from consumers.replay.folding import Told
from consumers.replay.held import Held
from consumers.replay.notes import Replay
from consumers.replay.order import Ranges
from consumers.replay.origin import Origin
from schemas.reader import Read

Foreign = Callable[[int], Read] | None
"""Finds the reader of a schema id that is not ours, where there is a registry."""


class Wanted(NamedTuple):
    """How the command was told to do it."""

    execute: bool
    as_json: bool
    rate: float | None
    examples: int
    show_values: bool
    swap: bool
    allow_fewer: bool
    allow_older: bool
    processes: int = 1
    of_parts: Sequence[str] = ()
    """Options that each of several processes is told, too."""


class Work(NamedTuple):
    """What is to be read."""

    held: Held
    ranges: Ranges
    earlier: Replay | None
    """The unfinished replay that is gone on with."""
    removed: int
    """Offsets that retention has removed since it began."""


def check(console: Console, origin: Origin, ranges: Ranges, *, execute: bool) -> None:
    """Refuse an archive that is damaged: by its sizes in a dry run, by its checksums before it is read.

    Raises:
        StoppedForSafety: It is.
    """
    if origin.held.kept:
        records = sum(range_.end - range_.begin for range_ in ranges.values())
        with progress_bar(console, records, "checking the archive") as told:
            origin.check(ranges, whole=execute, told=told)


def plan(work: Work, parked: Mapping[str, int]) -> dict[str, Any]:
    """What is to be read, for programs."""
    partitions = [
        {
            "partition": number,
            "begin": range_.begin,
            "end": range_.end,
            "log_begins": work.held.first[number],
            "log_ends": work.held.end[number],
            "archived_to": work.held.kept.get(number),
        }
        for number, range_ in sorted(work.ranges.items())
    ]
    records = sum(range_.end - range_.begin for range_ in work.ranges.values())
    earlier = None if work.earlier is None else work.earlier.id
    return {
        "topic": work.held.topic,
        "records": records,
        "partitions": partitions,
        "parked": dict(parked),
        "goes_on_with": earlier,
        "topic_is_there": work.held.alive,
        "removed_since": work.removed,
    }


def say(console: Console, work: Work, told: Mapping[str, Any]) -> None:
    """What is to be read, for people."""
    if work.earlier is not None:
        console.print(f"Going on with replay {work.earlier.id}; `replays cancel` lets it begin anew.")
    for one in told["partitions"]:
        console.print(
            f"partition {one['partition']}: {one['end'] - one['begin']:,} records, "
            f"offsets {one['begin']} to {one['end']}; {_reach(one)}"
        )
    if not work.held.alive:
        console.print(
            f"[yellow]{work.held.topic} is gone, or another one since: the archive is all there is.[/]"
        )
    if work.removed:
        console.print(f"[yellow]retention has removed {work.removed:,} records since it began[/]")
    if told["parked"]:
        states = ", ".join(f"{count:,} {state}" for state, count in told["parked"].items())
        console.print(f"Of these the sinks have parked: {states}; see `session-relay dead-letters list`.")


def _reach(one: Mapping[str, Any]) -> str:
    whole = f"{one['log_begins']} to {one['log_ends']}"
    if one["archived_to"] is None:
        return f"the log has {whole}"
    return f"archive and log have {whole}, the archive up to {one['archived_to']}"


@contextmanager
def progress_bar(console: Console, total: int, name: str) -> Iterator[Told]:
    """A bar with the time that is left, on a terminal; call what it gives with each step's count."""
    bar = Progress(
        TextColumn(name),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("records,"),
        TimeRemainingColumn(),
        TextColumn("left"),
        console=console,
        disable=not console.is_terminal,
    )
    task = bar.add_task(name, total=total)
    with bar:
        yield lambda count: bar.advance(task, count)
