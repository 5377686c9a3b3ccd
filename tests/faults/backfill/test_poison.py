"""A session that the vendor can't deliver costs its user, and nobody else: exit code 1, and a file says who.

Method: one session is 500 for ever, one is no event, one user is unknown; a single worker meets them all.
"""

from pathlib import Path

import pytest

from config.embedded.services import EmbeddedServices
from config.errors import ExitCode
from tests.backfill_process import BackfillProcess, users_file
from tests.fake_asleep import Answer, Asked, FakeAsleep
from tests.relay_process import records

pytestmark = [pytest.mark.integration, pytest.mark.faults]
USERS, NIGHTS = 6, 3


@pytest.mark.parametrize(("workers", "attempts"), [("1", "100"), ("1", "3"), ("4", "3")])
def test_what_can_not_be_had_keeps_nobody_else(
    services: EmbeddedServices, topic: str, tmp_path: Path, workers: str, attempts: str
) -> None:
    kafka = services.addresses.kafka_bootstrap_servers
    fake = FakeAsleep(users=USERS, nights=NIGHTS)
    broken, wrong = fake.session_ids(0)[1], fake.session_ids(3)[2]
    told = fake.data(3, 2)
    told["session"]["end_time"] = "yesterday"

    def special(asked: Asked) -> Answer | None:
        if asked.path.endswith(broken):
            return Answer(500)
        return Answer(body={"detail": "OK", "result": told}) if asked.path.endswith(wrong) else None

    fake.special = special
    failed = tmp_path / "failed.txt"
    with fake.serving():
        command = ("--users", users_file(tmp_path, [*fake.ids(), "nobody"]), "--failed", str(failed))
        settings = {"BACKFILL__WORKERS": workers, "BACKFILL__ATTEMPTS": attempts}
        some = BackfillProcess(tmp_path, fake, kafka, topic, *command, **settings)
        assert some.wait() == ExitCode.FAILED, some.log
        figures = some.figures
        assert (figures["users_done"], figures["users_failed"], figures["users_unknown"]) == (4, 2, 1)
        assert sorted(failed.read_text().split()) == [fake.user(0), fake.user(3)]
        for hidden in (*fake.ids(), broken, wrong, "nobody", "yesterday"):
            assert hidden not in some.log
        fake.special = lambda _: None
        asked = len(fake.asked)
        mended = BackfillProcess(tmp_path, fake, kafka, topic, *command, **settings)
        assert mended.wait() == 0, mended.log
    assert {one.user for one in fake.asked[asked:]} == {fake.user(0), fake.user(3)}
    found = {key.decode() for record in records(kafka, topic) if isinstance(key := record.key(), bytes)}
    assert found == set(fake.ids())
    assert not failed.read_text()
