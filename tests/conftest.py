"""Real services for the tests that need them; made once, torn down at the end."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from config.embedded.services import EmbeddedServices


@pytest.fixture(scope="session")
def services() -> Iterator[EmbeddedServices]:
    state_dir = Path(os.environ.get("SESSION_RELAY_HOME") or ".session-relay")
    with EmbeddedServices.running(state_dir) as running:
        yield running


@pytest.fixture
def topic(services: EmbeddedServices) -> str:
    name = f"events-{uuid.uuid4()}"
    admin = AdminClient({"bootstrap.servers": services.addresses.kafka_bootstrap_servers})
    for future in admin.create_topics([NewTopic(name, 3, 1)]).values():
        future.result()
    return name
