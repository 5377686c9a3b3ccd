"""The sink in both shapes, each in turn with what Postgres alone does with the same rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import count as numbers
from typing import Any, Final

from rich.console import Console
from rich.progress import Progress

from benchmarks import limit
from benchmarks.blocks import Block, read_out
from benchmarks.figures import Series, ratio, ratio_range
from benchmarks.filling import fill
from benchmarks.rounds import Figures, Steps, take_turns
from benchmarks.shapes import NARROW, NIGHT, Shape
from benchmarks.sink import run_sink
from benchmarks.stand import Place, Stand
from config.sections import SinkSettings

_WARM_UP_EVENTS: Final = 2_000
_groups = numbers(1)


@dataclass(frozen=True, kw_only=True)
class Ground:
    """One shape, ready to be measured: its filled topic, its tables, and its batches in memory."""

    stand: Stand
    place: Place
    count: int
    blocks: Sequence[Block] = ()

    def sink(self) -> Figures:
        """The sink itself, in a new group."""
        limit.empty(self.place.database_url)
        return run_sink(self.stand, self.place, self.count, f"bench-{next(_groups)}").figures()

    def limit(self) -> Figures:
        """Postgres alone with the sink's own statements."""
        limit.empty(self.place.database_url)
        return {"rate": self.count / limit.write_sessions(self.place.database_url, self.blocks)}

    def plain(self) -> Figures:
        """Postgres alone with the plain statement."""
        limit.empty(self.place.database_url)
        return {"rate": self.count / limit.write_plain(self.place.database_url, self.blocks)}


def measure_sink(
    stand: Stand, console: Console, *, rounds: int, narrow_count: int, night_count: int
) -> dict[str, Any]:
    """Measure the sink against its limits.

    Raises:
        RelayError: A table does not hold what it should; nothing that was measured then means anything.
    """
    with Progress(console=console, transient=True) as progress:
        # the first group on a new broker waits some seconds for the topic of offsets
        warm_up = _ground(stand, NARROW, "warm_up", min(_WARM_UP_EVENTS, narrow_count), progress)
        narrow = _ground(stand, NARROW, "narrow", narrow_count, progress)
        night = _ground(stand, NIGHT, "night", night_count, progress)
    warm_up.sink()
    steps: Steps = {
        "Postgres alone, narrow": narrow.limit,
        "sink, narrow": narrow.sink,
        "plain statement, narrow": narrow.plain,
        "Postgres alone, night": night.limit,
        "sink, night": night.sink,
    }
    with console.status("measuring the sink"):
        told = take_turns(steps, rounds, partial(console.print, highlight=False))
    return told_of_sink(told, narrow_count=narrow_count, night_count=night_count)


def told_of_sink(
    told: dict[str, dict[str, Series]], *, narrow_count: int, night_count: int
) -> dict[str, Any]:
    """The sink's part of the results."""
    narrow, night = told["sink, narrow"]["rate"], told["sink, night"]["rate"]
    plain = told["plain statement, narrow"]["rate"]
    alone, alone_night = told["Postgres alone, narrow"]["rate"], told["Postgres alone, night"]["rate"]
    return {
        "ratio": ratio(narrow, alone),
        "ratio_night": ratio(night, alone_night),
        "ratio_plain": ratio(narrow, plain),
        "ratio_range": ratio_range(narrow, alone),
        "ratio_night_range": ratio_range(night, alone_night),
        "ratio_plain_range": ratio_range(narrow, plain),
        "narrow": {"events": narrow_count, **_told(told["sink, narrow"])}
        | {"limit_rate": alone.told(), "plain_rate": plain.told()},
        "night": {"events": night_count, **_told(told["sink, night"]), "limit_rate": alone_night.told()},
    }


def _told(figures: dict[str, Series]) -> dict[str, Any]:
    digits = {"rate": 0, "rate_from_first_commit": 0, "peak_mib": 0}
    return {name: series.told(digits.get(name, 2)) for name, series in figures.items()}


def _ground(stand: Stand, shape: Shape, name: str, count: int, progress: Progress) -> Ground:
    place = stand.place(name)
    limit.prepare(place.database_url)
    task = progress.add_task(f"filling the topic: {count:,} of {name}", total=count)
    fill(place.kafka, shape.events(), count, lambda done: progress.update(task, completed=done))
    task = progress.add_task(f"reading its batches: {name}", total=count)
    blocks = read_out(place, count, SinkSettings(), lambda done: progress.update(task, completed=done))
    return Ground(stand=stand, place=place, count=count, blocks=blocks)
