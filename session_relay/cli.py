"""`session-relay`: one command line for every role and every operator's command.

Exit codes, everywhere: 0 done; 1 failed, or found what it was asked to look for; 2 wrong usage or
settings; 3 stopped for safety, a person must look; 4 a service could not be reached.
"""

import gc
import sys
from collections.abc import Mapping
from importlib import import_module
from typing import Annotated, Any, Final, NamedTuple

import typer

from config.errors import RelayError
from config.imports import without
from session_relay.process_end import ended_at_once


class _Command(NamedTuple):
    """Where a command is, imported only when it is wanted: one role's libraries are no other's."""

    module: str
    epilog: str | None = None
    is_group: bool = False

    def add_to(self, app: typer.Typer, name: str) -> None:
        module: Any = import_module(f"session_relay.commands.{self.module}")
        if self.is_group:
            app.add_typer(module.app, name=name)
        else:
            app.command(name, epilog=self.epilog)(module.command)


COMMANDS: Final[Mapping[str, _Command]] = {
    "backfill": _Command("backfill"),
    "migrate": _Command("migrate", "Example: [bold]session-relay migrate --execute[/]"),
    "relay": _Command("relay"),
    "replay": _Command("replay"),
    "simulate": _Command(
        "simulate", "Example: [bold]ASLEEP_API_KEY=… session-relay simulate --count 500 --check[/]"
    ),
    "sink": _Command("sink"),
    "status": _Command("status", "Example: [bold]session-relay status --watch --url http://10.0.0.7:9102[/]"),
    "up": _Command("up", "Example: [bold]session-relay up --once --json[/]"),
    "vendors": _Command("vendors", "Example: [bold]session-relay vendors --json[/]"),
    "archive": _Command("archive", is_group=True),
    "config": _Command("config", is_group=True),
    "dead-letters": _Command("dead_letters", is_group=True),
    "replays": _Command("replays", is_group=True),
    "schema": _Command("schema", is_group=True),
    "services": _Command("services", is_group=True),
    "spool": _Command("spool", is_group=True),
    "topics": _Command("topics", is_group=True),
}
"""Every command by its name, in the order of the help."""


def command_line(first: str = "") -> typer.Typer:
    """The command line with one command, or whole.

    Args:
        first: The first argument; unless it names a command, every one is there.
    """
    with without("rich"):  # for tracebacks as our logs never draw them: a tenth of a role's start
        import structlog  # noqa: F401, PLC0415 - only so that it is there
    app = typer.Typer(
        name="session-relay",
        help="Signed sleep and wearable webhooks, each one exactly once in Postgres, by way of Kafka.",
        epilog="Exit codes: 0 done, 1 failed or found something, 2 usage or settings, "
        "3 stopped for safety, 4 a service could not be reached.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode="rich",
    )
    app.callback()(root)
    for name in [first] if first in COMMANDS else COMMANDS:
        COMMANDS[name].add_to(app, name)
    return app


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - as typer calls it
    if wanted:
        from importlib.metadata import version  # noqa: PLC0415 - nothing that a role's start should wait for

        typer.echo(f"session-relay {version('session-relay')}")
        raise typer.Exit


def root(
    *,
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version.")
    ] = False,
) -> None:
    """Also so that a single command is still named as a sub-command."""


def __getattr__(name: str) -> typer.Typer:
    """`app`, whole, for whoever looks at all commands: PEP 562, as making it imports every one."""
    if name == "app":
        return command_line()
    raise AttributeError(name)


def main() -> None:
    """Run one command; errors meant for people are printed without a traceback."""
    gc.disable()  # nothing that imports make is garbage, and looking for it is a tenth of a role's start
    whole_or_one = command_line(*sys.argv[1:2])
    gc.enable()
    try:
        whole_or_one()
    except RelayError as error:
        from rich.console import Console  # noqa: PLC0415 - a tenth of a role's start, for a message
        from rich.markup import escape  # noqa: PLC0415 - likewise

        Console(stderr=True).print(f"[red]error:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        sys.exit(int(error.exit_code))


def program() -> None:
    """Be the program: run one command, and end the process with its exit code."""
    with ended_at_once():
        main()


if __name__ == "__main__":
    program()
