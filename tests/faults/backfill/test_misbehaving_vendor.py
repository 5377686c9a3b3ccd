"""A backfill over a vendor that fails in every way ends complete, and changes nothing the second time.

Method: a local API with 429 and 500 among its answers, cut and garbled ones, and an outage; then a real sink.
Counted at the vendor, the rate is kept. `make drill` runs the same with 500 users.
"""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.backfill_process import BackfillProcess, users_file
from tests.fake_asleep import FakeAsleep, Manners, most_in_a_second
from tests.sink_rig import SinkRig

pytestmark = [pytest.mark.integration, pytest.mark.faults]

USERS = int(os.environ.get("BACKFILL_DRILL_USERS", "20"))
NIGHTS = 30
RATE = float(os.environ.get("BACKFILL_DRILL_RATE", "200"))
WITHIN_S = 60 + 3 * USERS * (NIGHTS + 1) / RATE
CONTENT = "SELECT * FROM sessions ORDER BY session_id"


@pytest.mark.timeout(60 + 3 * WITHIN_S)
def test_it_ends_complete_within_the_rate_and_changes_nothing_the_second_time(
    rig: SinkRig, tmp_path: Path
) -> None:
    sessions = USERS * NIGHTS
    rig.start()
    rows: list[list[tuple[Any, ...]]] = []
    for again in range(2):
        manners = Manners(
            throttled=0.05, broken=0.02, cut=0.005, garbled=0.005, slow=0.01, outage_after=sessions // 3
        )
        fake = FakeAsleep(users=USERS, nights=NIGHTS, manners=manners)
        with fake.serving():
            users = users_file(tmp_path, fake.ids())
            backfill = BackfillProcess(
                tmp_path, fake, rig.kafka, rig.topic, "--users", users, BACKFILL__RATE_PER_S=str(RATE)
            )
            assert backfill.wait(WITHIN_S) == 0, backfill.log
        figures = backfill.figures
        assert (figures["users_done"], figures["sessions_published"]) == (USERS, sessions)
        assert figures["repeats"] > 0.05 * sessions
        assert most_in_a_second(fake.asked) <= RATE * 1.05 + 1
        assert len(fake.asked) == figures["requests"]
        rig.wait_until_done(sessions * (again + 1), within_s=120)
        rows.append(rig.query(CONTENT))
    assert len(rows[0]) == sessions
    assert rows[0] == rows[1]  # with updated_at and applied_event_ids
    assert rig.sums()["written"] == rig.sums()["duplicate"] == sessions
    rig.assert_accounted()
    assert not list(tmp_path.glob(".session-relay/backfill/*"))
    assert not any(user in backfill.log for user in fake.ids())
