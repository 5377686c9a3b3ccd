"""`python -m benchmarks.bento.sink`: the sink and Bento out of the same topic, round after round."""

import os
from dataclasses import dataclass
from functools import partial
from itertools import count as numbers
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.progress import Progress

from benchmarks import limit, results
from benchmarks.bento.program import VERSION, built
from benchmarks.bento.sink_run import TABLE, Settings, compare, prepare, run_bento
from benchmarks.bento.sink_table import FILE, as_table
from benchmarks.command import run
from benchmarks.figures import Series, ratio, ratio_range
from benchmarks.filling import fill
from benchmarks.rounds import Figures, Steps, take_turns
from benchmarks.shapes import NARROW
from benchmarks.sink import run_sink
from benchmarks.stand import Place, Stand
from config.errors import SettingsError

_TRIED: Final = tuple(Settings(batch, in_flight) for batch in (1_000, 5_000) for in_flight in (1, 2, 4))
_TRIES: Final = 2
_groups = numbers(1)
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")


@dataclass(frozen=True, kw_only=True)
class Ground:
    """A filled topic, and a table for each."""

    stand: Stand
    place: Place
    count: int

    def sink(self) -> Figures:
        """The sink, at its defaults."""
        limit.empty(self.place.database_url, "sessions", "consumer_offsets")
        group = f"bench-beside-{next(_groups)}"
        return run_sink(self.stand, self.place, self.count, group).figures()

    def bento(self, settings: Settings) -> Figures:
        """Bento, by these settings."""
        limit.empty(self.place.database_url, TABLE)
        return run_bento(self.stand, self.place, self.count, settings).figures()


@app.command(epilog="Example: [bold]python -m benchmarks.bento.sink --events 250000 --rounds 3[/]")
def command(
    *,
    events: Annotated[int, typer.Option(min=1, help="Events of the narrow shape.")] = 250_000,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds, an odd number; medians are shown.")] = 3,
    output: Annotated[Path, typer.Option(help="Write the results here.")] = FILE,
) -> None:
    """Measure the sink beside Bento, which is built from its Go module first and needs Go for that.

    Bento's settings are chosen first, each tried twice; an error if a table does not hold each session once.
    """
    if rounds % 2 == 0:
        raise SettingsError("--rounds must be odd, so that the median is one of them")
    console = Console(stderr=True, highlight=False)
    with console.status(f"building Bento {VERSION}"):
        built()
    told = _measured(events, rounds, console)
    results.write(told, output)
    Console(highlight=False).print(as_table(told))


def _measured(events: int, rounds: int, console: Console) -> dict[str, Any]:
    load_before = os.getloadavg()[0]
    with Stand.opened(lambda line: console.print(line, markup=False)) as stand:
        ground = _ground(stand, events, console)
        with console.status("measuring"):
            ground.sink()  # the first group on a new broker waits some seconds for the topic of offsets
            tried = _tried(ground, console)
            chosen = max(tried, key=lambda settings: tried[settings])
            steps: Steps = {"sink": ground.sink, "bento": partial(ground.bento, chosen)}
            told = take_turns(steps, rounds, partial(console.print, highlight=False))
            compare(ground.place.database_url)
        around = results.around(stand.versions | {"bento": VERSION}, rounds, load_before)
    ours, theirs = told["sink"]["rate"], told["bento"]["rate"]
    return {
        "events": events,
        "ratio": ratio(ours, theirs),
        "ratio_range": ratio_range(ours, theirs),
        **{name: _told(figures) for name, figures in told.items()},
        "settings": chosen._asdict(),
        "tried": [settings._asdict() | {"rate": round(rate)} for settings, rate in tried.items()],
        **around,
    }


def _ground(stand: Stand, events: int, console: Console) -> Ground:
    place = stand.place("beside")
    prepare(place.database_url)
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task(f"filling the topic: {events:,} of narrow", total=events)
        fill(place.kafka, NARROW.events(), events, lambda done: progress.update(task, completed=done))
    return Ground(stand=stand, place=place, count=events)


def _tried(ground: Ground, console: Console) -> dict[Settings, float]:
    """The better rate of two runs by each of the settings, the second time backwards."""
    rates = dict.fromkeys(_TRIED, 0.0)
    for number in range(_TRIES):
        for settings in _TRIED if number % 2 == 0 else _TRIED[::-1]:
            rate = ground.bento(settings)["rate"]
            rates[settings] = max(rate, rates[settings])
            what = f"batches of {settings.batch:,}, {settings.in_flight} in flight"
            console.print(f"trying Bento: {what}: {rate:,.0f} a second")
    return rates


def _told(figures: dict[str, Series]) -> dict[str, Any]:
    whole = {"rate", "rate_from_first_commit", "peak_mib"}
    return {name: series.told(0 if name in whole else 2) for name, series in figures.items()}


if __name__ == "__main__":
    run(app)
