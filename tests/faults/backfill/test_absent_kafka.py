"""Without Kafka a backfill says so at once with exit code 4, and asks nothing of the vendor.

Method: a port on which nobody listens. A dry run needs no Kafka.
"""

from pathlib import Path

import pytest

from config.errors import ExitCode
from tests.backfill_process import BackfillProcess
from tests.fake_asleep import FakeAsleep

pytestmark = [pytest.mark.integration, pytest.mark.faults]
NOBODY = "127.0.0.1:9"


def test_without_kafka_nothing_is_asked(tmp_path: Path) -> None:
    fake = FakeAsleep()
    with fake.serving():
        backfill = BackfillProcess(tmp_path, fake, NOBODY, "t", "--user", fake.user(0))
        assert backfill.wait() == ExitCode.UNREACHABLE
    assert fake.asked == []
    assert NOBODY in backfill.log


def test_a_dry_run_fetches_and_counts_and_leaves_nothing(tmp_path: Path) -> None:
    fake = FakeAsleep(nights=4)
    with fake.serving():
        backfill = BackfillProcess(tmp_path, fake, NOBODY, "t", "--user", fake.user(0), "--dry-run")
        assert backfill.wait() == 0, backfill.log
    assert backfill.figures["sessions_published"] == 4
    assert "4 sessions could be published" in backfill.log
    assert not (tmp_path / ".session-relay").exists()
