"""`session-relay topics`: Kafka's topics, planned before they are applied."""

from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from config.cluster import Cluster
from config.settings import load
from config.topics import Change, declared, execute, plan

app = typer.Typer(help="Kafka's topics: what is declared, and what the cluster has.", no_args_is_help=True)


@app.callback()
def root() -> None:
    """Only so that a single command would still be named as a sub-command."""


@app.command(epilog="Example: [bold]session-relay topics apply --execute[/]")
def apply(
    *,
    execute_plan: Annotated[bool, typer.Option("--execute", help="Do it; without this only say it.")] = False,
    repartition: Annotated[
        bool, typer.Option("--repartition", help="Also raise counts of partitions; users' keys move.")
    ] = False,
) -> None:
    """Show what the cluster lacks of the declared topics; with --execute, make it so.

    Topics are created, their settings corrected; nothing is ever deleted, and settings that are not
    declared are left alone. A count of partitions changes only with --repartition.
    """
    kafka = load().kafka
    cluster = Cluster(kafka)
    wanted = declared(kafka)
    changes = plan(wanted, cluster.snapshot([topic.name for topic in wanted]), repartition=repartition)
    console = Console(highlight=False, soft_wrap=True)
    for change in changes:
        console.print(_line(change))
    pending = sum(change.kind != "note" for change in changes)
    if not pending:
        console.print("Nothing to do: the topics are as declared.")
    elif execute_plan:
        execute(cluster, changes)
        console.print(f"Done: {pending} applied.")
    else:
        console.print(f"Not done: {pending} to apply with --execute.")


def _line(change: Change) -> str:
    colour = {"create": "green", "configure": "yellow", "repartition": "red", "note": "dim"}[change.kind]
    return f"[{colour}]{change.kind:<11}[/] {escape(change.topic)}: {escape(change.text)}"
