"""Faults are done to embedded services, whatever TEST_SERVICES asks for: only those are ours to kill.

Whatever a scenario does to them, they run again afterwards.
"""

import os
import signal
from collections.abc import Iterator

import pytest

from config.embedded.services import EmbeddedServices


@pytest.fixture(scope="session")
def services(embedded: EmbeddedServices) -> EmbeddedServices:
    return embedded


@pytest.fixture
def postgres(services: EmbeddedServices) -> Iterator[EmbeddedServices]:
    yield services
    if "postgres" not in services.pids:
        services.start("postgres")


@pytest.fixture
def kafka(services: EmbeddedServices) -> Iterator[EmbeddedServices]:
    yield services
    if "kafka-1" not in services.pids:
        services.start("kafka-1")


@pytest.fixture
def kafka_pid(services: EmbeddedServices) -> Iterator[int]:
    pid = services.pids["kafka-1"]
    yield pid
    os.kill(pid, signal.SIGCONT)
