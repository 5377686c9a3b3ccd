"""`session-relay migrate`: bring the database to this version."""

from collections.abc import Sequence
from typing import Annotated, Final

import typer
from rich.console import Console

from config.errors import SettingsError
from config.migrations import apply, check
from config.migrations.files import migrations
from config.settings import load

UP_TO_DATE: Final = "Nothing to do: the database is up to date."


def command(
    *,
    execute: Annotated[bool, typer.Option("--execute", help="Do it; without this only say it.")] = False,
    before_deploy: Annotated[
        bool, typer.Option("--before-deploy", help="Stop before what would break roles of the old version.")
    ] = False,
) -> None:
    """List the migrations that the database lacks; with --execute, apply them.

    The database itself must exist. Several at once are fine: one works, the others wait for it. While a
    new version is rolled out: first --before-deploy, then the roles, then the rest.
    """
    url = load("migrate").db.url
    if url is None:
        raise SettingsError("DATABASE_URL: not set")
    console = Console(highlight=False, soft_wrap=True)
    if execute:
        done = apply.migrate(url.get_secret_value(), before_deploy_only=before_deploy)
        _tell(console, "[green]applied[/]", done)
        console.print(f"Done: {len(done)} applied." if done else UP_TO_DATE)
        return
    with check.connect(url.get_secret_value()) as connection:
        lacking = check.pending(connection, migrations())
    todo = [migration.name for migration in apply.to_apply(lacking, before_deploy_only=before_deploy)]
    _tell(console, "[yellow]pending[/]", todo)
    console.print(f"Not done: {len(todo)} to apply with --execute." if todo else UP_TO_DATE)


def _tell(console: Console, what: str, names: Sequence[str]) -> None:
    for name in names:
        console.print(f"{what} {name}")
