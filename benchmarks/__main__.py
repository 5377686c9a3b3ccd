"""`python -m benchmarks`: measure, print a table, write results.json."""

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from rich.console import Console
from rich.markup import escape

from benchmarks import observation_rounds, results, wrk
from benchmarks.command import run
from benchmarks.conditions import measure_conditions
from benchmarks.figures import below_floor
from benchmarks.observation_rounds import measure_observation
from benchmarks.rebuild_rounds import measure_rebuild
from benchmarks.relay_rounds import measure_relay
from benchmarks.shapes import NARROW_COUNT, NIGHT_COUNT
from benchmarks.sink_rounds import measure_sink
from benchmarks.spool_rounds import measure_spool
from benchmarks.stand import Stand
from config.errors import ExitCode, SettingsError

_LATENCY_S: Final = 20
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, rich_markup_mode="rich")


class Part(StrEnum):
    """What can be measured alone."""

    SINK = "sink"
    RELAY = "relay"
    SPOOL = "spool"
    REBUILD = "rebuild"
    CONDITIONS = "conditions"
    OBSERVATION = "observation"


@app.command(
    epilog="Examples: [bold]python -m benchmarks[/]; [bold]python -m benchmarks --only sink --rounds 1 "
    "--events 50000 --night-events 10000[/]; [bold]make bench ARGS='--only relay --markdown'[/]"
)
def command(  # noqa: PLR0913 - each is one option of the command
    *,
    rounds: Annotated[
        int | None,
        typer.Option(min=1, help="Rounds, an odd number; medians are shown. Default: 3, of observation 7."),
    ] = None,
    only: Annotated[Part | None, typer.Option(help="Measure one of them alone.")] = None,
    events: Annotated[int, typer.Option(min=1, help="Events of the narrow shape.")] = NARROW_COUNT,
    night_events: Annotated[int, typer.Option(min=1, help="Events of the night's shape.")] = NIGHT_COUNT,
    output: Annotated[
        Path | None,
        typer.Option(
            help="Write the results here; of a part, into what is there. "
            "Default: benchmarks/results.json, if nothing is left out."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the results as one JSON object.")] = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the table as Markdown.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Exit with 1 if invalid or below an aim.")] = False,
) -> None:
    """Measure sink and relay on real services, as ratios to what the same machine can do at best.

    The sink runs from the start of its process to the last row of a topic that was filled beforehand; its
    limit is the same rows, COPY and upsert from memory on one connection. The relay takes signed webhooks
    from wrk on 64 connections; its limit is its own listener answering 204 at once. The spool is the same
    relay with Kafka frozen, and how fast it drains afterwards. The conditions are the sink with two
    processes, updates, repeats, other batches, a large table, and how long an event takes to its COMMIT.
    A rebuild is compared with the sink on the same topic, a replay to a topic with a bare loop of consume
    and produce. What is compared takes turns. Observation is the CPU that sink and relay use with their
    sidecars, scraped, and without.
    Services, data and processes are the benchmark's own and are gone at the end. Keep the machine idle:
    everything shares it.
    """
    if rounds is not None and rounds % 2 == 0:
        raise SettingsError("--rounds must be odd, so that the median is one of them")
    if only not in {Part.SINK, Part.REBUILD, Part.CONDITIONS}:
        wrk.program()  # told before anything is started
    console = Console(stderr=as_json or markdown, highlight=False)
    told = _measured(rounds, only, (events, night_events), console)
    whole = (only, events, night_events) == (None, NARROW_COUNT, NIGHT_COUNT)
    if path := output or (results.FILE if whole else None):
        results.write(told, path, alone=None if only is None else only.value)
    console.print(results.as_table(told))
    for problem in (lacking := [*told["invalid"], *below_floor(told)]):
        console.print(f"[yellow]{'invalid' if problem in told['invalid'] else 'slow'}:[/] {escape(problem)}")
    if markdown:
        typer.echo(results.as_markdown(told))
    if as_json:
        typer.echo(results.as_line(told))
    raise typer.Exit(int(ExitCode.FAILED if check and lacking else ExitCode.DONE))


def _measured(
    asked_rounds: int | None, only: Part | None, counts: tuple[int, int], console: Console
) -> dict[str, Any]:
    rounds, pairs = asked_rounds or 3, asked_rounds or observation_rounds.ROUNDS
    load_before = os.getloadavg()[0]
    invalid: list[str] = []
    told: dict[str, Any] = {}
    with Stand.opened(lambda line: console.print(line, markup=False)) as stand:
        if only in {None, Part.SINK}:
            narrow, night = counts
            told["sink"] = measure_sink(stand, console, rounds=rounds, narrow_count=narrow, night_count=night)
        if only in {None, Part.RELAY}:
            told["relay"] = measure_relay(stand, console, rounds=rounds)
            invalid += [f"relay: {problem}" for problem in told["relay"].pop("invalid")]
        if only in {None, Part.SPOOL}:
            told["spool"] = measure_spool(stand, console, rounds=rounds)
            invalid += [f"spool: {problem}" for problem in told["spool"].pop("invalid")]
        if only in {None, Part.CONDITIONS}:
            told["conditions"] = measure_conditions(
                stand,
                console,
                rounds=rounds,
                count=counts[0],
                table_rows=10 * counts[0],
                seconds=_LATENCY_S,
            )
        if only in {None, Part.REBUILD}:
            told |= measure_rebuild(stand, console, rounds=rounds, count=counts[0])
        if only in {None, Part.OBSERVATION}:
            told |= measure_observation(stand, console, rounds=pairs, count=counts[0])
        around = results.around(stand.versions, pairs if only is Part.OBSERVATION else rounds, load_before)
    return told | {"valid": not invalid, "invalid": invalid} | around


if __name__ == "__main__":
    run(app)
