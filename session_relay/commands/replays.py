"""`session-relay replays`: what was read again from the log, what still runs, and the end of one."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any

import typer

from config.errors import RelayError
from config.migrations.check import connect, require_current
from config.migrations.files import migrations
from config.settings import load
from consumers.pool import database_url
from consumers.replay.notes import Replays
from consumers.replay.shadow import Shadow

app = typer.Typer(help="Replays of the log: list them, look at one, cancel one.", no_args_is_help=True)
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")]
Number = Annotated[int, typer.Argument(metavar="ID", min=1, max=2**31 - 1, help="As `list` tells it.")]


@app.command("list", epilog="Example: [bold]session-relay replays list --json[/]")
def list_replays(
    *,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="How many at most.")] = 20,
    json_wanted: AsJson = False,
) -> None:
    """List replays, the newest first: state, how far each is, and what was asked."""
    with _table() as replays:
        rows = [shown(row) for row in replays.page(limit)]
    if json_wanted:
        typer.echo(json.dumps({"replays": rows}))
        return
    for row in rows:
        typer.echo(
            f"{row['id']:>6}  {row['state']:<11}  {row['kind']:<7}  {row['phase']:<10}  "
            f"{row['read']:,} of {row['records']:,}  {row['begun_at'][:19]}  {_options(row['asked'])}"
        )
    typer.echo(f"{len(rows)} replays")


@app.command(epilog="Example: [bold]session-relay replays show 3[/]")
def show(number: Number, *, json_wanted: AsJson = False) -> None:
    """Show one replay: its range by partition, how far it is, and what became of its records."""
    with _table() as replays:
        row = shown(_found(replays, number))
    if json_wanted:
        typer.echo(json.dumps(row))
        return
    for name, told in row.items():
        if name != "partitions":
            typer.echo(f"{name:<12} {_options(told) if isinstance(told, dict) else told}")
    for one in row["partitions"]:
        typer.echo(f"partition {one['partition']:<3} {one['begin']} to {one['end']}, now at {one['next']}")


@app.command(epilog="Example: [bold]session-relay replays cancel 3 --execute[/]")
def cancel(
    number: Number,
    *,
    execute: Annotated[bool, typer.Option("--execute", help="Do it; without this only say it.")] = False,
    json_wanted: AsJson = False,
) -> None:
    """End a replay that is unfinished: the same command begins anew then. One that runs stops soon.

    What a replay to a topic has sent stays there; the table of a rebuild is removed.
    """
    settings = load("sink")
    with connect(database_url(settings.db)) as connection:
        require_current(connection, migrations())
        replays = Replays(connection)
        row = _found(replays, number)
        if row["state"] != "unfinished":
            raise RelayError(f"replay {number} is {row['state']}")
        if execute:
            replays.cancel(number)
            if row["kind"] == "rebuild" and not row["running"]:  # else whoever is at it removes it
                Shadow(settings.db, number).drop(connection)
    if json_wanted:
        typer.echo(json.dumps({"cancelled": number, "executed": execute}))
    else:
        typer.echo(
            f"Done: {number} cancelled." if execute else f"Not done: {number} to cancel with --execute."
        )


def shown(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row for people and programs; whose records they were is not told."""
    asked = {name: told for name, told in row["asked"].items() if name != "kind"}
    if "user" in asked:
        asked["user"] = "one"
    state = row["state"]
    if state == "unfinished":
        state = "running" if row["running"] else "built" if row["phase"] == "built" else "interrupted"
    names = ("partition", "begin", "end", "next")
    columns = zip(row["partitions"], row["begins"], row["ends"], row["next_offsets"], strict=True)
    partitions = [dict(zip(names, one, strict=True)) for one in columns]
    return {
        "id": row["id"],
        "kind": row["kind"],
        "state": state,
        "phase": row["phase"],
        "asked": asked,
        "topic": row["origin_topic"],
        "records": sum(one["end"] - one["begin"] for one in partitions),
        "read": sum(one["next"] - one["begin"] for one in partitions),
        "figures": row["figures"],
        "begun_at": row["created_at"].isoformat(),
        "changed_at": row["changed_at"].isoformat(),
        "partitions": partitions,
    }


def _options(told: Mapping[str, Any]) -> str:
    return " ".join(f"{name}={value}" for name, value in told.items()) or "-"


def _found(replays: Replays, number: int) -> dict[str, Any]:
    row = replays.replay(number)
    if row is None:
        raise RelayError(f"there is no replay {number}")
    return row


@contextmanager
def _table() -> Iterator[Replays]:
    settings = load("sink")
    with connect(database_url(settings.db)) as connection:
        require_current(connection, migrations())
        yield Replays(connection)
