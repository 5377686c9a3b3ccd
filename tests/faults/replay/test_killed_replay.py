"""A replay to a topic that is killed goes on: nothing is missing, and what is there twice is the same."""

import random
from collections import Counter
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient

from schemas.codec import encode
from tests.events import made
from tests.eventually import eventually
from tests.replay_commands import ends, new_topic, records, run, started, told
from tests.sink_rig import SinkRig

pytestmark = [pytest.mark.integration, pytest.mark.faults]

COUNT = 3_000


@pytest.mark.timeout(300)
def test_killed_at_seeded_moments_it_goes_on(rig: SinkRig, admin: AdminClient, tmp_path: Path) -> None:
    """Method: slowed down by --rate, SIGKILL after a seeded number of records are in the topic."""
    chance = random.Random(4)
    events = [made(session=f"s-{n}", user=f"u-{n % 9}") for n in range(COUNT)]
    rig.publish(events)
    target = new_topic(admin)
    words = ("replay", "--topic", target, "--execute")
    for turn in range(3):
        command = started(rig, tmp_path / f"{turn}.log", *words, "--rate", "600")
        before = sum(ends(admin, target).values())
        more = chance.randrange(200, 800)
        eventually(lambda n=before + more: sum(ends(admin, target).values()) >= n, within_s=60)  # type: ignore[misc]
        assert command.poll() is None
        command.kill()
        command.wait(10)
    assert told(rig, "replays", "list")["replays"][0]["state"] == "interrupted"
    assert run(rig, *words).exit_code == 0
    found = Counter(record.value for record in records(rig, target))
    assert set(found) == {encode(event) for event in events}
    assert [one["state"] for one in told(rig, "replays", "list")["replays"]] == ["done"]
    assert told(rig, "replays", "show", 1)["read"] == COUNT
