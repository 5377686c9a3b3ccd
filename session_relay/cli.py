"""`session-relay`: one command line for every role and every operator's command.

Exit codes, everywhere: 0 done; 1 failed, or found what it was asked to look for; 2 wrong usage or
settings; 3 stopped for safety, a person must look; 4 a service could not be reached.
"""

import sys

import typer
from rich.console import Console
from rich.markup import escape

from config.errors import RelayError
from session_relay.commands import (
    backfill,
    dead_letters,
    migrate,
    relay,
    schema,
    services,
    simulate,
    sink,
    spool,
    topics,
    up,
    vendors,
)
from session_relay.commands import config as config_command

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


app.command("backfill")(backfill.command)
app.command("migrate", epilog="Example: [bold]session-relay migrate --execute[/]")(migrate.command)
app.command("relay")(relay.command)
app.command(
    "simulate", epilog="Example: [bold]ASLEEP_API_KEY=… session-relay simulate --count 500 --check[/]"
)(simulate.command)
app.command("sink")(sink.command)
app.command("up", epilog="Example: [bold]session-relay up --once --json[/]")(up.command)
app.command("vendors", epilog="Example: [bold]session-relay vendors --json[/]")(vendors.command)
app.add_typer(config_command.app, name="config")
app.add_typer(dead_letters.app, name="dead-letters")
app.add_typer(schema.app, name="schema")
app.add_typer(services.app, name="services")
app.add_typer(spool.app, name="spool")
app.add_typer(topics.app, name="topics")


@app.callback()
def root() -> None:
    """Only so that a single command would still be named as a sub-command."""


def main() -> None:
    """Run one command; errors meant for people are printed without a traceback."""
    try:
        app()
    except RelayError as error:
        Console(stderr=True).print(f"[red]error:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        sys.exit(int(error.exit_code))


if __name__ == "__main__":
    main()
