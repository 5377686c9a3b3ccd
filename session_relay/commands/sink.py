"""`session-relay sink`: take events to Postgres."""

from typing import Annotated

import typer

from config import logs, settings


def command(
    *,
    processes: Annotated[
        int,
        typer.Option(
            min=1,
            max=256,
            metavar="N",
            help="Run so many members as children; at most one a partition works.",
        ),
    ] = 1,
    accept_poison: Annotated[
        int,
        typer.Option(
            min=0,
            metavar="N",
            help="Park so many records before a storm of poison is judged; each member, at its first start.",
        ),
    ] = 0,
    member: Annotated[
        int | None, typer.Option(min=1, hidden=True, help="Which of several children this is.")
    ] = None,
) -> None:
    """Write events from Kafka to Postgres, each with its effect once.

    Reads session.events as a member of the group SINK__GROUP_ID; run as many as there are partitions at
    most. Metrics and health are on METRICS__SINK_PORT. Postgres away: it pauses and goes on by itself.
    SIGTERM and SIGINT end it when the batch under way is committed or rolled back.

    What can never be stored is parked in session.events.dlq. When more than half of the last
    SINK__STORM_WINDOW records are such poison it exits with 3, before it parks them: find out why, then
    let it go on, over N of them if that is right.

    With --processes N this process only watches over N members: their metrics are on METRICS__SINK_PORT
    and the ports after it (0: free ones), their log lines have a field `member`, each has a pool of its
    own. SIGTERM and SIGINT end all. A member that dies is started again, at first after half a second,
    in the end after 30; one that exits with 2 or 3 ends all with that status, as a person must look.

    Example: DATABASE_URL=postgresql://localhost/sleep session-relay sink --accept-poison 5000
    Example: METRICS__SINK_PORT=9200 session-relay sink --processes 4
    """
    tree = settings.load("sink")
    logs.configure(tree.app, "sink", member)
    if processes > 1:
        from config.clock import SystemClock  # noqa: PLC0415 - who watches needs none of the sink's libraries
        from session_relay.members import Member, Members, ports  # noqa: PLC0415 - nor a sink this

        first_time = ["--accept-poison", str(accept_poison)]
        members = [
            Member(number, port, ["sink"], first_time)
            for number, port in enumerate(ports(tree.metrics.sink_port, processes), 1)
        ]
        raise typer.Exit(int(Members(members, tree.sink.shutdown_s, SystemClock()).run()))
    from consumers import sink  # noqa: PLC0415 - as above

    sink.run(tree, accept_poison=accept_poison, member=member)
