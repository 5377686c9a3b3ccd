"""`session-relay status`: the flow at a glance."""

import json
import time
from collections.abc import Iterator
from contextlib import nullcontext
from itertools import count
from typing import Annotated

import typer
from rich.console import Console
from rich.live import Live

from config.addresses import web_address
from config.errors import ExitCode
from config.settings import load
from session_relay.status.figures import Flow
from session_relay.status.shown import shown
from session_relay.status.sidecars import Sidecars


def command(
    *,
    url: Annotated[
        list[str] | None,
        typer.Option(help="A sidecar's address, such as http://10.0.0.7:9102; may be repeated."),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Go on until Ctrl-C.")] = False,
    over: Annotated[
        float, typer.Option(min=0.1, max=3600, help="Seconds between two looks: rates are over these.")
    ] = 1.0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print a JSON object, with --watch one a line, for programs.")
    ] = False,
) -> None:
    """Show the flow at a glance: what is accepted, acknowledged, written, how late, what needs a person.

    All of it is read from the sidecars of relay, sinks and backfill, twice, and nothing is changed. Without
    --url they are those of METRICS__RELAY_PORT, METRICS__SINK_PORT (and the ports after it, of a sink
    --processes N) and, while one runs, METRICS__BACKFILL_PORT. Gauges are as old as METRICS__INTERVAL_S.

    The exit code is 4 when a sidecar did not answer, at the last look with --watch; else 0, whatever the flow
    looks like. What needs a person is named with its page in docs/operations.
    """
    sidecars = Sidecars([_address(one) for one in url]) if url else Sidecars((), load().metrics)
    console = Console(highlight=False)
    in_place = Live(console=console, auto_refresh=False) if console.is_terminal and not as_json else None
    is_whole = True
    try:
        with in_place or nullcontext():
            for flow in _flows(sidecars, over, last=None if watch else 1):
                is_whole = flow.is_whole
                if as_json:
                    typer.echo(json.dumps(flow.as_json()))
                elif in_place is not None:
                    in_place.update(shown(flow), refresh=True)
                else:
                    console.print(shown(flow))
    except KeyboardInterrupt:
        if not watch:
            raise
    if not is_whole:
        raise typer.Exit(int(ExitCode.UNREACHABLE))


def _flows(sidecars: Sidecars, over_s: float, last: int | None) -> Iterator[Flow]:
    """What each two looks, so many seconds apart, show; without end if no last one is named."""
    told = sidecars.ask()
    for _ in count() if last is None else range(last):
        time.sleep(over_s)
        before, told = told, sidecars.ask()
        yield Flow.between(before, told)


def _address(text: str) -> str:
    """The address of a sidecar, whatever of its paths was copied with it.

    Raises:
        SettingsError: It is none.
    """
    for path in ("/metrics", "/readyz", "/livez"):
        text = text.rstrip("/").removesuffix(path)
    return web_address("--url", text)
