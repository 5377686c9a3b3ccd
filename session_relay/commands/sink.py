"""`session-relay sink`: take events to Postgres."""

from typing import Annotated

import typer

from config import logs, settings
from consumers import sink


def command(
    *,
    accept_poison: Annotated[
        int,
        typer.Option(min=0, metavar="N", help="Park so many records before a storm of poison is judged."),
    ] = 0,
) -> None:
    """Write events from Kafka to Postgres, each with its effect once.

    Reads session.events as a member of the group SINK__GROUP_ID; run as many as there are partitions at
    most. Metrics and health are on METRICS__SINK_PORT. Postgres away: it pauses and goes on by itself.
    SIGTERM and SIGINT end it when the batch under way is committed or rolled back.

    What can never be stored is parked in session.events.dlq. When more than half of the last
    SINK__STORM_WINDOW records are such poison it exits with 3, before it parks them: find out why, then
    let it go on, over N of them if that is right.

    Example: DATABASE_URL=postgresql://localhost/sleep session-relay sink --accept-poison 5000
    """
    tree = settings.load("sink")
    logs.configure(tree.app, "sink")
    sink.run(tree, accept_poison=accept_poison)
