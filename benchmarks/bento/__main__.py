"""`python -m benchmarks.bento`: the relay and Bento under the same load, round after round."""

import os
from functools import partial
from pathlib import Path
from secrets import token_urlsafe
from typing import Annotated, Any

import httpx
import typer
from rich.console import Console

from benchmarks import results, wrk
from benchmarks.bento.program import VERSION, bento, built
from benchmarks.bento.table import FILE, as_table
from benchmarks.command import run
from benchmarks.figures import Series
from benchmarks.filling import count_records
from benchmarks.relay import Server, relay
from benchmarks.rounds import take_turns
from benchmarks.stand import Stand
from config.errors import RelayError, SettingsError
from session_relay.simulate.sender import Credentials

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def command(
    *,
    rounds: Annotated[int, typer.Option(min=1, help="Rounds, an odd number; medians are shown.")] = 5,
    output: Annotated[Path, typer.Option(help="Write the results here.")] = FILE,
) -> None:
    """Measure the relay beside Bento, which is built from its Go module first; needs Go and wrk."""
    if rounds % 2 == 0:
        raise SettingsError("--rounds must be odd, so that the median is one of them")
    wrk.program()
    console = Console(stderr=True, highlight=False)
    with console.status(f"building Bento {VERSION}"):
        built()
    told = _measured(rounds, console)
    results.write(told, output)
    Console(highlight=False).print(as_table(told))
    for problem in told["invalid"]:
        console.print(f"[yellow]invalid:[/] {problem}")


def _measured(rounds: int, console: Console) -> dict[str, Any]:
    load_before = os.getloadavg()[0]
    credentials = Credentials(api_key=token_urlsafe(24), signing_key=token_urlsafe(32))
    with Stand.opened(lambda line: console.print(line, markup=False)) as stand:
        script = stand.directory / "deliveries.lua"
        wrk.write_script(script, credentials)
        place = stand.place("beside")
        with (
            relay(stand, place, credentials, script) as ours,
            bento(stand, place, credentials, script, "alike") as alike,
            bento(stand, place, credentials, script, "ordinary") as ordinary,
        ):
            servers = {"relay": ours, "alike": alike, "ordinary": ordinary}
            for name, server in servers.items():
                if name != "ordinary":  # which takes anything
                    _check(server, name)
                server.warm_up()
            steps = {name: server.measure for name, server in servers.items()}
            told = take_turns(steps, rounds, partial(console.print, highlight=False))
            answers = sum(server.answers for server in servers.values())
            invalid = [
                f"{name}: {server.refused} answers were not 2xx, {server.broken} requests broke off"
                for name, server in servers.items()
                if server.refused or server.broken
            ]
            if (records := count_records(place.kafka)) < answers:
                invalid.append(f"{answers} answers, but only {records} records in the topic")
        around = results.around(stand.versions | {"bento": VERSION}, rounds, load_before)
    return {name: _told(figures) for name, figures in told.items()} | {"invalid": invalid} | around


def _check(server: Server, name: str) -> None:
    """A delivery without its proof must be refused, or another thing is measured than is said."""
    status = httpx.post(server.url, content=wrk.bodies()[0], trust_env=False, timeout=20).status_code
    if status != httpx.codes.UNAUTHORIZED:
        raise RelayError(f"{name} answered {status} to a delivery without a proof.")


def _told(figures: dict[str, Series]) -> dict[str, Any]:
    return {name: series.told(0 if name in {"rate", "peak_mib"} else 2) for name, series in figures.items()}


if __name__ == "__main__":
    run(app)
