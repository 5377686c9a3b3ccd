"""`session-relay services`: real Kafka, Postgres and Redis on this machine, without the roles."""

import json
import shlex
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from config.embedded import services
from config.errors import Unavailable

app = typer.Typer(
    help="Real Kafka, Postgres and Redis on this machine, for the roles to work with.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)

StateDir = Annotated[
    Path,
    typer.Option(
        "--state-dir",
        envvar="SESSION_RELAY_HOME",
        help="Holds their data, logs and ports; made when absent.",
        file_okay=False,
    ),
]
DEFAULT_STATE_DIR = Path(".session-relay")


@app.command(epilog="Example: [bold]session-relay services start --brokers 3 --state-dir /tmp/cluster[/]")
def start(
    state_dir: StateDir = DEFAULT_STATE_DIR,
    brokers: Annotated[
        int | None,
        typer.Option(help="Kafka brokers: 1, or 3 (replication 3, 2 in sync). Default: as it was, or 1."),
    ] = None,
) -> None:
    """Start the services, or find them running; they stay when this command has ended.

    The first start downloads Kafka (46 MB) from Maven Central; later ones need no network.
    """
    found = services.start_detached(state_dir, brokers)
    _show(found)


@app.command(epilog="Example: [bold]session-relay services prepare[/], then go offline")
def prepare(state_dir: StateDir = DEFAULT_STATE_DIR) -> None:
    """Download Kafka and have it loaded once, about 10 s: starts then need no network and half the time."""
    typer.echo(services.prepare(state_dir))


@app.command(epilog="Example: [bold]session-relay services stop[/]")
def stop(state_dir: StateDir = DEFAULT_STATE_DIR) -> None:
    """Stop the services, whoever started them; their data stays. Already stopped is no error."""
    stopped = services.stop(state_dir)
    Console(stderr=True).print("stopped" if stopped else "they were not running")


@app.command(epilog="Example: [bold]session-relay services status --json | jq .addresses[/]")
def status(
    state_dir: StateDir = DEFAULT_STATE_DIR,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Show what runs, where it listens, and under which process ids; exits with 4 when nothing runs."""
    found = _running(state_dir)
    if not as_json:
        _show(found)
        return
    report = {
        "state_dir": str(found.state_dir),
        "brokers": found.brokers,
        "addresses": found.addresses.environment(),
        "versions": found.versions,
        "pids": found.pids,
        "missing": found.missing,
        "keeper_pid": found.keeper_pid,
    }
    typer.echo(json.dumps(report))


@app.command(
    epilog='Example: [bold]eval "$(session-relay services env)"[/] and then [bold]session-relay sink[/]'
)
def env(state_dir: StateDir = DEFAULT_STATE_DIR) -> None:
    """Print what to export so that the roles find these services; exits with 4 when nothing runs."""
    for name, value in _running(state_dir).addresses.environment().items():
        typer.echo(f"export {name}={shlex.quote(value)}")


def _running(state_dir: Path) -> services.Status:
    found = services.status(state_dir.resolve())
    if found is None:
        raise Unavailable(
            f"No services run in {state_dir.resolve()}; `session-relay services start` starts them."
        )
    return found


def _show(found: services.Status) -> None:
    table = Table("service", "version", "pid", box=None, header_style="bold", pad_edge=False)
    for name in found.expected:
        version = found.versions.get(name.partition("-")[0], "")
        table.add_row(name, version, str(found.pids.get(name, "[red]ended[/]")))
    console = Console()
    console.print(table)
    for name, value in found.addresses.environment().items():
        console.print(f"{name}={value}", highlight=False, soft_wrap=True)
