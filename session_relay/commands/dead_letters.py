"""`session-relay dead-letters`: what could not be stored, looked at, sent again, closed, stepped over."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress

from config.errors import ExitCode, RelayError, SettingsError
from config.migrations.check import connect, require_current
from config.migrations.files import migrations
from config.settings import Settings, load
from consumers.redrive import Redrive, Refused
from consumers.selection import STATES, LetterTable, Selection
from consumers.skip import record_at
from session_relay.commands.letters_shown import as_json, decoded, hex_lines, line, printable
from session_relay.commands.moments import moment

app = typer.Typer(
    help="What could never be stored: list it, look at it, send it again, close it, step over it.",
    no_args_is_help=True,
)

Reasons = Annotated[
    list[str] | None, typer.Option("--reason", help="Only with this reason; may be repeated.")
]
Sources = Annotated[
    list[str] | None, typer.Option("--source", help="Only from this source; may be repeated.")
]
Since = Annotated[
    str | None, typer.Option(help="Only what failed since: `2h`, `30m`, `7d`, or an RFC 3339 time.")
]
States = Annotated[
    list[str] | None, typer.Option("--state", help=f"One of {', '.join(STATES)}; may be repeated.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object, for programs.")]
Execute = Annotated[bool, typer.Option("--execute", help="Do it; without this only say it.")]
All = Annotated[bool, typer.Option("--all", help="Mean all of that state, with no other choice made.")]


@app.command("list", epilog="Example: [bold]session-relay dead-letters list --source garmin --since 3h[/]")
def list_letters(
    *,
    reason: Reasons = None,
    source: Sources = None,
    since: Since = None,
    state: States = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="Letters of one page.")] = 50,
    after: Annotated[int, typer.Option(min=0, help="Begin behind this id: the next page.")] = 0,
    json_wanted: AsJson = False,
) -> None:
    """List dead letters, oldest first: the open ones, unless --state names others.

    Each line has id, state, reason, source, time of failure, origin (topic/partition/offset), size and
    what was wrong. What sinks park is here a moment later.
    """
    selection = _selection(state, None, reason, source, since, after)
    with _table() as (_, table):
        total, letters = table.count(selection), table.page(selection, limit)
    left = total - len(letters)
    if json_wanted:
        typer.echo(json.dumps({"letters": [as_json(letter) for letter in letters], "more": left}))
        return
    for letter in letters:
        typer.echo(line(letter))
    page = f"; the next page: --after {letters[-1]['id']}" if left else ""
    typer.echo(f"{len(letters)} of {total} {'/'.join(selection.states)}{page}")


@app.command(epilog="Example: [bold]session-relay dead-letters show 17 --full[/]")
def show(
    number: Annotated[int, typer.Argument(metavar="ID", help="As `list` tells it.")],
    *,
    full: Annotated[bool, typer.Option("--full", help="All bytes, not only the first 4 KiB.")] = False,
    json_wanted: AsJson = False,
) -> None:
    """Show one dead letter: why and where it failed, its headers, its bytes in hex, and what they say.

    This prints what the vendor sent, about a person.
    """
    with _table() as (_, table):
        letter = table.letter(number)
    if letter is None:
        raise RelayError(f"there is no dead letter {number}")
    value = letter["value"]
    if json_wanted:
        typer.echo(json.dumps(as_json(letter) | {"decoded": decoded(value)}))
        return
    headers = list(zip(letter.pop("header_names"), letter.pop("header_values"), strict=True))
    for name, told in letter.items():
        if name != "value":
            shown = repr(told) if isinstance(told, bytes) else printable(str(told))
            typer.echo(f"{name:<17} {shown}")
    for name, told in headers:
        typer.echo(f"header            {printable(name)}: {told!r}")
    typer.echo("\n".join(("", *hex_lines(value, None if full else 4096), "", decoded(value))))


@app.command(
    epilog="Example: [bold]session-relay dead-letters redrive --reason rejected --since 3h --execute[/]"
)
def redrive(  # noqa: PLR0913 - options of a command line
    numbers: Annotated[list[int] | None, typer.Argument(metavar="[ID]...", help="Only these.")] = None,
    *,
    reason: Reasons = None,
    source: Sources = None,
    since: Since = None,
    state: States = None,
    everything: All = False,
    execute: Execute = False,
    json_wanted: AsJson = False,
) -> None:
    """Send dead letters again: the stored bytes with their own key, headers and event id.

    They go to the topic that they came from, at most five times each, and what fails again is a new dead
    letter. It is harmless where the event was stored in the meantime. What the relay parked never was an
    event and can't be sent again like this: it is named, as is an id that is not among those meant, and the
    exit code is 1.
    """
    selection = _chosen(_selection(state, numbers, reason, source, since), everything=everything)
    sent = 0
    with _table() as (settings, table):
        refused = [Refused(*one) for one in table.unchosen(selection).items()]
        total = table.count(selection)
        with Progress(console=Console(stderr=True), disable=json_wanted, transient=True) as progress:
            task = progress.add_task("sent again" if execute else "looked at", total=total)
            for step in Redrive(settings.kafka, table)(selection, execute=execute):
                sent += step.sent
                refused += step.refused
                progress.advance(task, step.sent + len(step.refused))
    if json_wanted:
        told = [one._asdict() for one in refused]
        typer.echo(json.dumps({"redriven": sent, "refused": told, "executed": execute}))
    else:
        for one in refused:
            typer.echo(f"{one.id:>8}  not sent: {printable(one.why)}")
        typer.echo(_ending(sent, "sent again", "send again", execute=execute))
    if refused:
        raise typer.Exit(ExitCode.FAILED)


@app.command(epilog="Example: [bold]session-relay dead-letters discard 17 18 --execute[/]")
def discard(  # noqa: PLR0913 - options of a command line
    numbers: Annotated[list[int] | None, typer.Argument(metavar="[ID]...", help="Only these.")] = None,
    *,
    reason: Reasons = None,
    source: Sources = None,
    since: Since = None,
    state: States = None,
    everything: All = False,
    execute: Execute = False,
    json_wanted: AsJson = False,
) -> None:
    """Close dead letters that nobody will send again.

    They stay in the table for SINK__DEAD_LETTERS_KEEP_DAYS, and in Kafka for its retention. An id that is not
    among them is named, and the exit code is 1.
    """
    selection = _chosen(_selection(state, numbers, reason, source, since), everything=everything)
    with _table() as (_, table):
        refused = table.unchosen(selection)
        count = table.discard(selection) if execute else table.count(selection)
    if json_wanted:
        told = [{"id": number, "why": why} for number, why in refused.items()]
        typer.echo(json.dumps({"discarded": count, "refused": told, "executed": execute}))
    else:
        for number, why in refused.items():
            typer.echo(f"{number:>8}  not closed: {why}")
        typer.echo(_ending(count, "discarded", "discard", execute=execute))
    if refused:
        raise typer.Exit(ExitCode.FAILED)


@app.command(epilog="Example: [bold]session-relay dead-letters park session.events 3 81234 --execute[/]")
def park(
    topic: Annotated[str, typer.Argument(help="The events' topic, or that of the dead letters.")],
    partition: Annotated[int, typer.Argument(min=0, help="As the sink's log names it.")],
    offset: Annotated[int, typer.Argument(min=0, help="Likewise.")],
    *,
    execute: Execute = False,
) -> None:
    """Store one record as a dead letter in the state `skip`: sinks step over it and count it as parked.

    This is the way past a record that brings the sink down. Sinks learn it when they are assigned the
    partition, so restart one that still runs. Send it again when the sink can read it:
    session-relay dead-letters redrive ID --state skip --execute
    """
    with _table() as (settings, table):
        known = (settings.kafka.events_topic, settings.kafka.dead_letters_topic)
        if topic not in known:
            raise SettingsError(f"sinks read {known[0]} and {known[1]}, not {topic}")
        columns = record_at(settings.kafka, topic, partition, offset)
        typer.echo(f"{topic} partition {partition} offset {offset}: {len(columns['value'] or b'')} bytes")
        if execute:
            typer.echo(
                f"Done: stored as {table.store_skip(columns)}; sinks step over it from their next start."
            )
        else:
            typer.echo("Not done: 1 to skip with --execute.")


@contextmanager
def _table() -> Iterator[tuple[Settings, LetterTable]]:
    settings = load("sink")
    if settings.db.url is None:
        raise SettingsError("DATABASE_URL: not set")
    with connect(settings.db.url.get_secret_value()) as connection:
        require_current(connection, migrations())
        yield settings, LetterTable(connection)


def _selection(
    states: list[str] | None,
    numbers: list[int] | None,
    reasons: list[str] | None,
    sources: list[str] | None,
    since: str | None,
    after: int = 0,
) -> Selection:
    unknown = sorted(set(states or ()) - set(STATES))
    if unknown:
        raise SettingsError(f"--state is one of {', '.join(STATES)}, not {unknown[0]}")
    return Selection(
        states=tuple(states or ("open",)),
        ids=numbers or None,
        reasons=reasons or None,
        sources=sources or None,
        since=None if since is None else moment("--since", since),
        after=after,
    )


def _chosen(selection: Selection, *, everything: bool) -> Selection:
    if selection.is_all and not everything:
        raise SettingsError("say which: ids, --reason, --source, --since, or --all")
    return selection


def _ending(count: int, done: str, to_do: str, *, execute: bool) -> str:
    return f"Done: {count} {done}." if execute else f"Not done: {count} to {to_do} with --execute."
