"""How each of the benchmarks' commands is run."""

import signal
import sys

import typer
from rich.console import Console
from rich.markup import escape

from config.errors import RelayError


def run(app: typer.Typer) -> None:
    """Run it, and end in order on SIGTERM too; errors meant for people are printed without a traceback."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        app()
    except RelayError as error:
        Console(stderr=True).print(f"[red]error:[/] {escape(str(error))}", highlight=False, soft_wrap=True)
        sys.exit(int(error.exit_code))
