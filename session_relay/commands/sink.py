"""`session-relay sink`: take events to Postgres."""

from config import logs, settings
from consumers import sink


def command() -> None:
    """Write events from Kafka to Postgres, each with its effect once.

    Reads session.events as a member of the group SINK__GROUP_ID; run as many as there are partitions at
    most. Metrics and health are on METRICS__SINK_PORT. Postgres away: it pauses and goes on by itself.
    SIGTERM and SIGINT end it when the batch under way is committed or rolled back.

    Example: DATABASE_URL=postgresql://localhost/sleep session-relay sink
    """
    tree = settings.load("sink")
    logs.configure(tree.app, "sink")
    sink.run(tree)
