"""`session-relay relay`: take webhooks to Kafka."""

import typer

from config import logs, settings
from producers import relay
from producers.sources import VENDORS


def command() -> None:
    """Take signed webhooks, and answer 200 once Kafka has them safely.

    POST /webhooks/SOURCE on API_HOST and API_PORT; metrics and health on
    METRICS__RELAY_PORT. Starts without Kafka: until it is there events are spooled
    and answered 202, or with RELAY__SPOOL=false 503. SIGTERM and SIGINT end it once
    what is under way is answered.

    Example: ASLEEP_API_KEY=… session-relay relay
    """
    tree = settings.load("relay", vendors=VENDORS)
    logs.configure(tree.app, "relay")
    raise typer.Exit(int(relay.run(tree)))
