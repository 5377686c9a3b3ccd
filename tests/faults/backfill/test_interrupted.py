"""An interrupted backfill goes on where it ended, and together both runs bring every session.

Method: SIGTERM, SIGINT or SIGKILL in the middle, then the same command again.
"""

import signal
from pathlib import Path

import pytest

from config.embedded.services import EmbeddedServices
from schemas.codec import decode
from tests.backfill_process import BackfillProcess, users_file
from tests.eventually import eventually
from tests.fake_asleep import FakeAsleep
from tests.relay_process import records

pytestmark = [pytest.mark.integration, pytest.mark.faults]
USERS, NIGHTS, WORKERS = 30, 10, 4


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_is_gone_on_with(
    services: EmbeddedServices, topic: str, tmp_path: Path, signum: signal.Signals
) -> None:
    kafka = services.addresses.kafka_bootstrap_servers
    fake = FakeAsleep(users=USERS, nights=NIGHTS)
    with fake.serving():
        command = ("--users", users_file(tmp_path, fake.ids()))
        settings = {"BACKFILL__WORKERS": str(WORKERS), "BACKFILL__RATE_PER_S": "150"}
        first = BackfillProcess(tmp_path, fake, kafka, topic, *command, **settings)
        eventually(lambda: len(fake.asked) > USERS * NIGHTS / 2)
        code = first.stop(signum)
        if signum is signal.SIGKILL:
            assert code == -signal.SIGKILL
        else:
            assert code == 1
            assert 0 < first.figures["left"] < USERS
            assert "The same command goes on from here." in first.log
        asked = len(fake.asked)
        second = BackfillProcess(tmp_path, fake, kafka, topic, *command, **settings)
        assert second.wait() == 0, second.log
    assert second.figures["earlier"] > 0
    assert second.figures["earlier"] + second.figures["users_done"] == USERS
    repeated = asked + second.figures["requests"] - USERS * (NIGHTS + 1)
    assert repeated <= WORKERS * (NIGHTS + 2)  # at most those who were under way
    found = {decode(record.value() or b"").session_id for record in records(kafka, topic)}
    assert found == {session for number in range(USERS) for session in fake.session_ids(number)}
