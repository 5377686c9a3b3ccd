"""What every Kafka client is told alike."""

from typing import Any

from config.sections import KafkaSettings


def client_options(kafka: KafkaSettings, **overrides: Any) -> dict[str, Any]:
    """Options for one librdkafka client.

    The user's `KAFKA__OPTIONS` go over librdkafka's defaults, and what our promises rest on goes over
    both.

    Args:
        kafka: Where the cluster is, and the user's options.
        overrides: The client's own options, such as `**{"acks": "all"}`; they win.
    """
    return {**kafka.options, **overrides, "bootstrap.servers": kafka.bootstrap_servers}
