"""`session-relay archive`: keep what retention removes, and say whether it is still whole."""

import json
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Annotated, Any

import typer
from rich.console import Console

from config.clock import SystemClock
from config.errors import ExitCode, RelayError, SettingsError
from config.settings import Settings, load
from consumers.archive.archiving import Archiving, Told, Wanted, wanted
from consumers.archive.checking import problems
from consumers.archive.manifest import Manifest, found
from consumers.archive.manifest import load as load_manifest
from consumers.archive.place import Place
from consumers.replay.held import Logs
from consumers.replay.order import Range
from consumers.replay.reading import Reading
from schemas.by_settings import foreign_schemas
from session_relay.commands.replay_plan import progress_bar

app = typer.Typer()
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")]
Where = Annotated[str, typer.Argument(metavar="PATH", help="A folder, or a URL such as s3://bucket/folder.")]


@app.callback(
    invoke_without_command=True,
    epilog="Example: [bold]session-relay archive --to /srv/archive --execute[/]",
)
def archive(
    context: typer.Context,
    *,
    to: Annotated[str | None, typer.Option(help="A folder, or a URL such as s3://bucket/folder.")] = None,
    execute: Annotated[bool, typer.Option("--execute", help="Do it; without this only say it.")] = False,
    json_wanted: AsJson = False,
) -> None:
    """Write what the events topic has, and the archive has not, into Avro files by partition and day.

    What is published later is for the next run, which begins where this one ended, however it ended. No group
    is joined, nobody's offsets move. `session-relay replay --from-archive PATH` reads it again.

    Exit code 1 also means that retention was faster than the runs; what it took first is told.
    """
    if context.invoked_subcommand is not None:
        if to is not None:
            raise SettingsError("--to is for `session-relay archive` alone")
        return
    if to is None:
        raise SettingsError("say where: --to PATH, or one of the commands verify and list")
    place = Place(to)
    settings = load()
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    with ExitStack() as stack:
        if execute:
            stack.enter_context(place.alone())
        what = wanted(Logs(settings.kafka).held(settings.kafka.events_topic), load_manifest(place))
        told = _plan(place, what)
        _say(console, told)
        if execute:
            bar = stack.enter_context(progress_bar(console, told["records"], "archive"))
            told |= _done(settings, place, what, bar)
    if json_wanted:
        typer.echo(json.dumps({**told, "executed": execute}))
    elif execute:
        typer.echo(
            f"Done: {told['archived']:,} records in {told['files']:,} new files, "
            f"{told['unreadable']:,} of them no events."
        )
    else:
        typer.echo(f"Not done: {told['records']:,} records to archive with --execute.")
    if told["removed"]:
        raise typer.Exit(ExitCode.FAILED)


def _done(settings: Settings, place: Place, what: Wanted, told: Told) -> dict[str, int]:
    nothing = {number: Range(range_.begin, range_.begin) for number, range_ in what.ranges.items()}
    ends = {number: range_.end for number, range_ in what.ranges.items()}
    with ExitStack() as stack:
        foreign = foreign_schemas(settings.schema_registry, stack)
        reading = stack.enter_context(Reading(settings.kafka, what.manifest.topic, nothing))
        archiving = Archiving(place, what.manifest, SystemClock(), foreign)
        archiving(reading, ends, told)
    return _figures(archiving.manifest, len(what.manifest.files))


def _plan(place: Place, what: Wanted) -> dict[str, Any]:
    partitions = [
        {"partition": number, "begin": range_.begin, "end": range_.end}
        for number, range_ in sorted(what.ranges.items())
    ]
    removed = [
        {"partition": number, "begin": range_.begin, "end": range_.end}
        for number, range_ in sorted(what.removed.items())
    ]
    return {
        "to": place.path,
        "topic": what.manifest.topic,
        "topic_id": str(what.manifest.topic_id),
        "records": sum(one["end"] - one["begin"] for one in partitions),
        "partitions": partitions,
        "removed": removed,
    }


def _say(console: Console, told: Mapping[str, Any]) -> None:
    for one in told["partitions"]:
        console.print(
            f"partition {one['partition']}: {one['end'] - one['begin']:,} records, "
            f"offsets {one['begin']} to {one['end']}"
        )
    for one in told["removed"]:
        console.print(
            f"[red]partition {one['partition']}: retention has removed offsets "
            f"{one['begin']} to {one['end']} before they were archived[/]"
        )


def _figures(manifest: Manifest, earlier: int) -> dict[str, int]:
    new = manifest.files[earlier:]
    return {
        "files": len(new),
        "archived": sum(piece.records for piece in new),
        "unreadable": sum(piece.unreadable for piece in new),
        "size_bytes": sum(piece.size_bytes for piece in new),
    }


@app.command(epilog="Example: [bold]session-relay archive verify /srv/archive[/]")
def verify(where: Where, *, json_wanted: AsJson = False) -> None:
    """Read all of an archive: checksums, counts, offsets, gaps. Exit code 1 if anything is wrong with it."""
    place = Place(where)
    manifest = found(place)
    records = sum(piece.records for piece in manifest.files)
    with progress_bar(Console(stderr=True, highlight=False), records, "verify") as bar:
        wrong = list(problems(place, manifest, bar))
    if json_wanted:
        told = {
            "files": len(manifest.files),
            "records": records,
            "problems": [one._asdict() for one in wrong],
        }
        typer.echo(json.dumps(told))
    else:
        for one in wrong:
            typer.echo(f"{place.told(one.path)} {one.problem}")
        typer.echo(f"{len(manifest.files):,} files, {records:,} records, {len(wrong):,} problems")
    if wrong:
        raise RelayError(f"the archive at {where} is not what it should be: {len(wrong):,} problems")


@app.command("list", epilog="Example: [bold]session-relay archive list /srv/archive --json[/]")
def list_archive(where: Where, *, json_wanted: AsJson = False) -> None:
    """List what an archive has, as its manifest says: partitions, offsets, days, records."""
    manifest = found(Place(where))
    partitions = [
        {
            "partition": number,
            "begin": pieces[0].begin,
            "end": pieces[-1].end,
            "from_day": pieces[0].day,
            "to_day": pieces[-1].day,
            "files": len(pieces),
            "records": sum(piece.records for piece in pieces),
            "unreadable": sum(piece.unreadable for piece in pieces),
            "size_bytes": sum(piece.size_bytes for piece in pieces),
        }
        for number, pieces in manifest.by_partition().items()
    ]
    if json_wanted:
        told = {"topic": manifest.topic, "topic_id": str(manifest.topic_id), "partitions": partitions}
        typer.echo(json.dumps(told))
        return
    for one in partitions:
        typer.echo(
            f"partition {one['partition']:<3} offsets {one['begin']} to {one['end']}, {one['from_day']} to "
            f"{one['to_day']}: {one['records']:,} records in {one['files']:,} files, "
            f"{one['size_bytes']:,} bytes"
        )
    typer.echo(f"{manifest.topic}, {manifest.topic_id}")
