"""Faults are done to embedded services, whatever TEST_SERVICES asks for: only those are ours to kill."""

import pytest

from config.embedded.services import EmbeddedServices


@pytest.fixture(scope="session")
def services(embedded: EmbeddedServices) -> EmbeddedServices:
    return embedded
