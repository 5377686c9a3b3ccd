"""`session-relay schema`: the event's versions, what they differ in, and whether each reads the others."""

import difflib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from config.errors import ExitCode
from schemas import history
from schemas.compatibility import Mode, check, pairs
from schemas.history import Entry, HistoryError

app = typer.Typer(help="The event's Avro schema: its versions and what they promise.", no_args_is_help=True)

Directory = Annotated[
    Path, typer.Option("--directory", help="Where `ids.json` and `session_event/` are.", show_default="ours")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object instead.")]


@app.command("list", epilog="Example: [bold]session-relay schema list --json[/]")
def list_versions(*, as_json: AsJson = False, directory: Directory = history.OURS) -> None:
    """List the versions with their ids, checksums and whether they are released."""
    entries = history.read(directory)
    if as_json:
        typer.echo(json.dumps({"versions": [_told(entry) for entry in entries]}))
        return
    console = Console(highlight=False, soft_wrap=True)
    for entry in entries:
        console.print(f"{entry.number:>3}  {entry.schema_id or '-':<10}  {entry.state:<8}  {entry.sha256}")


@app.command(epilog="Example: [bold]session-relay schema show 1[/]")
def show(
    number: Annotated[
        int | None, typer.Argument(help="Which version; the last where it is left out.")
    ] = None,
    *,
    as_json: AsJson = False,
    directory: Directory = history.OURS,
) -> None:
    """Print a version's text as it is in its file, byte for byte; with --json, its id and state too."""
    entry = _found(history.read(directory), number)
    if as_json:
        typer.echo(json.dumps(_told(entry) | {"schema": json.loads(entry.text)}))
    else:
        typer.echo(entry.text, nl=False)


@app.command(epilog="Example: [bold]session-relay schema diff 1 2[/]")
def diff(
    old: Annotated[int, typer.Argument(help="The version to compare with.")],
    new: Annotated[int, typer.Argument(help="The version to compare.")],
    *,
    as_json: AsJson = False,
    directory: Directory = history.OURS,
) -> None:
    """Show what two versions differ in, field by field, and which modes of compatibility the step keeps."""
    entries = history.read(directory)
    before, after = _found(entries, old), _found(entries, new)
    fields = [dict(_fields(json.loads(entry.text), "")) for entry in (before, after)]
    changes = {
        "added": [name for name in fields[1] if name not in fields[0]],
        "removed": [name for name in fields[0] if name not in fields[1]],
        "changed": [name for name in fields[0] if fields[1].get(name, fields[0][name]) != fields[0][name]],
    }
    modes = (Mode.BACKWARD, Mode.FORWARD, Mode.FULL)
    kept = [str(mode) for mode in modes if not check({1: before.text, 2: after.text}, mode)]
    if as_json:
        typer.echo(json.dumps({"old": old, "new": new, **changes, "keeps": kept}))
        return
    console = Console(highlight=False, soft_wrap=True)
    for kind, names in changes.items():
        for name in names:
            console.print(f"{kind:<8} {escape(name)}")
    lines = difflib.unified_diff(
        before.text.splitlines(), after.text.splitlines(), f"{old}.avsc", f"{new}.avsc", n=1, lineterm=""
    )
    for line in lines:
        console.print(escape(line))
    console.print(f"keeps: {', '.join(kept) or 'nothing'}")


@app.command("check", epilog="Example: [bold]session-relay schema check --mode FULL_TRANSITIVE[/]")
def check_versions(
    *,
    mode: Annotated[
        Mode, typer.Option("--mode", help="Who has to read whom.", case_sensitive=False)
    ] = history.PROMISED,
    as_json: AsJson = False,
    directory: Directory = history.OURS,
) -> None:
    """Check every pair of versions, a draft included, and that released files are as they were released.

    Exit code 1 if anything is wrong: a schema that is none, a reader that can't read a writer or would
    take its values for something else, a released file that was edited.
    """
    entries = history.read(directory)
    findings = check({entry.number: entry.text for entry in entries}, mode)
    edited = [entry.number for entry in entries if entry.state == "edited"]
    count = len(list(pairs([entry.number for entry in entries], mode)))
    if as_json:
        told = {"mode": mode, "pairs": count, "findings": [one._asdict() for one in findings]}
        typer.echo(json.dumps(told | {"edited": edited}))
    else:
        console = Console(highlight=False, soft_wrap=True)
        for reader, writer, path, problem in findings:
            which = f"{reader} is invalid" if reader == writer else f"{reader} can't read {writer}"
            console.print(f"[red]{which}[/] at {escape(path)}: {escape(problem)}")
        for number in edited:
            console.print(f"[red]{number} was edited[/] after it was released: its checksum differs")
        if not findings and not edited:
            console.print(f"{len(entries)} versions, {count} pairs: all keep {mode}.")
    if findings or edited:
        raise typer.Exit(ExitCode.FAILED)


@app.command("new", epilog="Example: [bold]session-relay schema new[/], edit, then [bold]schema check[/]")
def new_version(*, as_json: AsJson = False, directory: Directory = history.OURS) -> None:
    """Begin the next version as a copy of the last, to be edited, checked and pinned.

    Only in a checkout of the sources: what is installed elsewhere is not meant to be written.
    """
    draft = history.start_next(directory)
    told = {"version": int(draft.stem), "file": str(draft)}
    typer.echo(json.dumps(told) if as_json else f"Edit {draft}, then: schema check, schema pin")


@app.command("pin", epilog="Example: [bold]session-relay schema check && session-relay schema pin[/]")
def pin_version(*, as_json: AsJson = False, directory: Directory = history.OURS) -> None:
    """Release the draft: it gets its id and checksum in `ids.json`, and its file never changes again.

    Refused if it does not read all versions before it.
    """
    entry = history.pin(directory)
    done = f"Version {entry.number} has the id {entry.schema_id}: its file never changes again."
    typer.echo(json.dumps(_told(entry)) if as_json else done)


def _told(entry: Entry) -> dict[str, Any]:
    return {"version": entry.number, "id": entry.schema_id, "state": entry.state, "sha256": entry.sha256}


def _found(entries: list[Entry], number: int | None) -> Entry:
    wanted = entries[-1].number if number is None else number
    found = next((entry for entry in entries if entry.number == wanted), None)
    if found is None:
        raise HistoryError(f"there is no version {wanted}: the last is {entries[-1].number}")
    return found


def _fields(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every field with its own declaration; those of records inside have a path with dots."""
    if isinstance(node, list):
        for inner in node:
            yield from _fields(inner, path)
    elif isinstance(node, dict):
        for field in node.get("fields", ()):
            name = f"{path}{field['name']}"
            yield name, field
            yield from _fields(field["type"], f"{name}.")
        for inner in (node.get("items"), node.get("values"), node.get("type")):
            if isinstance(inner, dict | list):
                yield from _fields(inner, path)
