"""`session-relay spool`: what a relay's file holds, and bringing it to Kafka when the relay can't."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from config import logs
from config.errors import ExitCode
from config.settings import load
from producers.spool.takeover import Takeover

_MICROSECONDS = 1_000_000
app = typer.Typer(help="What relays spooled while Kafka was away.", no_args_is_help=True)


@app.callback()
def root() -> None:
    """Only so that a single command would still be named as a sub-command."""


@app.command(epilog="Example: [bold]session-relay spool drain .session-relay/spool/relay-1.db --execute[/]")
def drain(
    path: Annotated[Path, typer.Argument(help="The file, such as RELAY__SPOOL_DIR/relay-1.db.")],
    *,
    execute: Annotated[bool, typer.Option("--execute", help="Do it; without this only say it.")] = False,
    timeout_s: Annotated[
        float, typer.Option("--timeout", min=1, help="Seconds without a sign of Kafka until it gives up.")
    ] = 30.0,
) -> None:
    """Show what the file of a relay that will not come back holds; with --execute, bring it to Kafka.

    In order, each event deleted once Kafka has acknowledged it. A relay that starts in the same directory
    does the same by itself. Refused (exit code 1) while the file's relay runs; 4 if Kafka is away; 1 if Kafka
    refused events for good, or they are damaged: they stay in the file.
    """
    tree = load()
    logs.configure(tree.app, "spool")
    console = Console(highlight=False, soft_wrap=True)
    with Takeover.of(path) as taken:
        if execute:
            taken.take_back()
        held = taken.held()
        since = _since(held.oldest_us or 0) if held.events else ""
        console.print(f"{escape(str(path))}: {held.events:,} events, {held.size_bytes:,} bytes{since}")
        if held.events and not execute:
            console.print(f"Not done: {held.events:,} to drain with --execute.")
        elif held.events:
            columns = (TextColumn("draining"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            with Progress(*columns, console=Console(stderr=True)) as progress:
                task = progress.add_task("draining", total=held.events)
                for count in taken.drain(tree.kafka, timeout_s):
                    progress.advance(task, count)
            console.print(f"Done: {held.events:,} events have left the file's queue.")
        reasons = taken.reasons()
    for reason, count in reasons.items():
        console.print(f"set aside: {count:,} ({reason})")
    raise typer.Exit(int(ExitCode.FAILED if reasons else ExitCode.DONE))


def _since(oldest_us: int) -> str:
    try:
        oldest = datetime.fromtimestamp(oldest_us / _MICROSECONDS, UTC)
    except (ValueError, OverflowError, OSError):  # a damaged row
        return ""
    return f", the oldest since {oldest:%Y-%m-%d %H:%M:%S} UTC"
