"""`session-relay relay`: take webhooks to Kafka."""

import typer

from config import logs, settings
from producers import relay


def command() -> None:
    """Take signed webhooks, and answer 200 once Kafka has them safely.

    Listens on API_HOST and API_PORT for POST /webhooks/SOURCE; metrics and health are on METRICS__RELAY_PORT.
    It starts without Kafka and answers 503 until Kafka is there. SIGTERM and SIGINT end it when what is
    under way is answered.

    Example: ASLEEP_API_KEY=… KAFKA__BOOTSTRAP_SERVERS=localhost:9092 session-relay relay
    """
    tree = settings.load("relay")
    logs.configure(tree.app, "relay")
    raise typer.Exit(int(relay.run(tree)))
