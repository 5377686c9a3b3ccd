"""A vendor that stays away ends the backfill with exit code 4, and once it is back the same command goes on.

Method: an outage of the local API that is longer than BACKFILL__PATIENCE_S.
"""

from pathlib import Path

import pytest

from config.embedded.services import EmbeddedServices
from config.errors import ExitCode
from tests.backfill_process import BackfillProcess, users_file
from tests.fake_asleep import FakeAsleep, Manners

pytestmark = [pytest.mark.integration, pytest.mark.faults]
USERS, NIGHTS = 10, 5


def test_a_vendor_that_stays_away_ends_it_and_it_goes_on_later(
    services: EmbeddedServices, topic: str, tmp_path: Path
) -> None:
    kafka = services.addresses.kafka_bootstrap_servers
    fake = FakeAsleep(users=USERS, nights=NIGHTS, manners=Manners(outage_after=30, outage_s=60))
    command = ("--users", users_file(tmp_path, fake.ids()), "--failed", str(tmp_path / "failed"))
    settings = {"BACKFILL__PATIENCE_S": "1", "BACKFILL__WORKERS": "2"}
    with fake.serving():
        away = BackfillProcess(tmp_path, fake, kafka, topic, *command, **settings)
        assert away.wait() == ExitCode.UNREACHABLE
        assert "ASLEEP_BASE_URL" in away.log
        assert (away.figures["users_failed"], away.figures["left"] > 0) == (0, True)
        assert (tmp_path / "failed").read_text() == ""
        fake.end_outage()
        back = BackfillProcess(tmp_path, fake, kafka, topic, *command, **settings)
        assert back.wait() == 0, back.log
    assert back.figures["earlier"] + back.figures["users_done"] == USERS
    assert back.figures["earlier"] > 0
