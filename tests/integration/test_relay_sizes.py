"""A record that is too large for Kafka is told so alone: what waits beside it is taken."""

import asyncio
import os
import uuid
from collections import Counter

import pytest
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from config.clock import SystemClock
from config.embedded.services import EmbeddedServices
from config.health import Dependency
from config.sections import KafkaSettings
from producers.delivery import TooLarge
from producers.options import MAX_MESSAGE_BYTES
from producers.publish import Publisher, Record
from tests.eventually import PATIENCE_S

pytestmark = pytest.mark.integration
OURS, KAFKAS = 4 * 1024 * 1024, 1_048_588
"""What `topics apply` gives the events' topic, and a broker's own default."""
FRAME = 96
"""More than librdkafka counts for a record besides its key, value and headers."""


@pytest.mark.parametrize(
    ("most_bytes", "options", "large_bytes", "taken"),
    [
        (OURS, {"batch.size": 2**31 - 1, "linger.ms": 200}, MAX_MESSAGE_BYTES - FRAME, True),
        (OURS, {"batch.size": 2**31 - 1, "linger.ms": 200}, MAX_MESSAGE_BYTES, False),
        (KAFKAS, {"linger.ms": 200}, KAFKAS + 1, False),
    ],
)
def test_a_large_record_spoils_no_small_one(
    services: EmbeddedServices,
    admin: AdminClient,
    most_bytes: int,
    options: dict[str, str | int | float | bool],
    large_bytes: int,
    taken: bool,
) -> None:
    topic = f"test-{uuid.uuid4()}"
    new = NewTopic(topic, 1, 1, config={"max.message.bytes": str(most_bytes)})
    for made in admin.create_topics([new]).values():
        made.result(PATIENCE_S)
    kafka = KafkaSettings(
        bootstrap_servers=services.addresses.kafka_bootstrap_servers, events_topic=topic, options=options
    )

    async def scenario() -> tuple[bool, Counter[str]]:
        clock = SystemClock()
        dependency = Dependency(name="kafka", needed=True, clock=clock)
        publisher = Publisher(kafka, deadline_s=20, dependency=dependency, clock=clock, on_fatal=pytest.fail)

        async def publish(size_bytes: int) -> str:
            try:
                return await publisher.publish([Record(topic, b"k", os.urandom(size_bytes), [])])
            except TooLarge:
                return "too large"

        small = [publish(8_000) for _ in range(600)]
        answers = await asyncio.gather(*small[:300], publish(large_bytes), *small[300:])
        publisher.close(5)
        return answers.pop(300) == "queued", Counter(answers)

    assert asyncio.run(scenario()) == (taken, {"queued": 600})
