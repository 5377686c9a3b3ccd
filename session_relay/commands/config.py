"""`session-relay config`: what the settings are, and whether they can be used."""

import json
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from config import settings, settings_table
from producers.sources import VENDORS

app = typer.Typer(help="What the settings are, and whether they can be used.", no_args_is_help=True)


@app.callback()
def root() -> None:
    """Only so that a single command would still be named as a sub-command."""


@app.command(epilog="Example: [bold]session-relay config check --role sink[/]")
def check(
    *,
    role: Annotated[
        settings.Role | None, typer.Option(help="Also check what this role can't do without.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print a JSON object of names and values.")] = False,
    markdown: Annotated[
        bool, typer.Option("--markdown", help="Print the table of all settings instead, unchecked.")
    ] = False,
) -> None:
    """Read the settings as a role would, and print what is in force, secrets left out.

    Settings come from the environment, `.env`, files in SECRETS_DIR and the TOML file CONFIG_FILE; the
    first of these wins. Exits with 2 and a line for each problem if they can't be used.
    """
    if markdown:
        typer.echo(settings_table.markdown())
        return
    rows = settings_table.in_force(settings.load(role, vendors=VENDORS))
    if as_json:
        typer.echo(json.dumps({row.name: row.value for row in rows}, ensure_ascii=False))
        return
    console = Console(highlight=False, soft_wrap=True)
    width = max(len(row.name) for row in rows)
    for row in rows:
        value = escape(row.value)
        console.print(f"{row.name:<{width}}  {f'[dim]{value}[/]' if row.is_default else value}")
    console.print("\nThese settings can be used. What each one means: session-relay config check --markdown")
