"""Kafka freezes: for a while it is waited for, for too long it is exit code 4, and nothing is missing.

Method: SIGSTOP of the broker under a running backfill.
"""

import os
import signal
from pathlib import Path

import httpx
import pytest

from config.embedded.services import EmbeddedServices
from config.errors import ExitCode
from schemas.codec import decode
from tests.backfill_process import BackfillProcess, users_file
from tests.eventually import eventually
from tests.fake_asleep import FakeAsleep
from tests.freezing import freeze
from tests.relay_process import records

pytestmark = [pytest.mark.integration, pytest.mark.faults]
USERS, NIGHTS = 10, 10


@pytest.mark.parametrize(("patience_s", "code"), [("1", ExitCode.UNREACHABLE), ("60", ExitCode.DONE)])
def test_frozen_kafka_is_waited_for_or_gone_on_with(
    services: EmbeddedServices, topic: str, tmp_path: Path, patience_s: str, code: ExitCode
) -> None:
    kafka, broker = services.addresses.kafka_bootstrap_servers, services.pids["kafka-1"]
    fake = FakeAsleep(users=USERS, nights=NIGHTS)
    settings = {
        "BACKFILL__RATE_PER_S": "40",
        "BACKFILL__WORKERS": "3",
        "BACKFILL__PATIENCE_S": patience_s,
        "RELAY__DEADLINE_S": "1",
    }
    with fake.serving():
        users = ("--users", users_file(tmp_path, fake.ids()))
        backfill = BackfillProcess(tmp_path, fake, kafka, topic, *users, **settings)
        eventually(lambda: len(fake.asked) > 50)
        freeze(broker)
        try:
            if code is ExitCode.DONE:
                port = backfill.told("sidecar_started")["port"]
                eventually(lambda: httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 503)
            else:
                assert backfill.wait() == code
                assert "KAFKA__BOOTSTRAP_SERVERS" in backfill.log
        finally:
            os.kill(broker, signal.SIGCONT)
        if code is not ExitCode.DONE:
            settings |= {"BACKFILL__PATIENCE_S": "60", "RELAY__DEADLINE_S": "10"}
            backfill = BackfillProcess(tmp_path, fake, kafka, topic, *users, **settings)
        assert backfill.wait() == 0, backfill.log
    found = {decode(record.value() or b"").session_id for record in records(kafka, topic)}
    assert found == {session for number in range(USERS) for session in fake.session_ids(number)}
