"""One round: `kill -9` in each step of a rebuild with its swap, or of a copy; it ends as if never killed."""

import random
import subprocess
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from confluent_kafka.admin import AdminClient

from config.embedded.processes import identify
from schemas.codec import decode, encode
from tests.events import made, spread
from tests.eventually import PATIENCE_S, eventually
from tests.replay_commands import children_of, ends, new_topic, records, run, started, told
from tests.sink_rig import SinkRig

PHASES: Final = ("seeding", "folding", "comparing", "built", "indexing", "swapping")
REBUILD: Final = ("replay", "--rebuild", "--swap", "--execute")
_LAST_DONE: Final = "SELECT coalesce(max(id) FILTER (WHERE state = 'done'), 0) FROM replays"
_LAST: Final = (
    "SELECT id, CASE state WHEN 'done' THEN 'done' ELSE phase END FROM replays ORDER BY id DESC LIMIT 1"
)
_CREATED: Final = "SELECT session_id, created_at FROM sessions"
_SHADOWS: Final = "SELECT nspname FROM pg_namespace WHERE nspname LIKE 'rebuild%'"
_BUSY: Final = "another process is at "


def kill_rebuild(rig: SinkRig, directory: Path, chance: random.Random, processes: int) -> Counter[str]:
    """Kill a rebuild with its swap once in each step, while a sink writes; returns where it died.

    Each kill comes at once when the step is noted, or a seeded moment later, perhaps in another step.
    """
    log = spread(chance, 5_000, sessions=100)
    command = (*REBUILD, "--processes", str(processes))
    published = rig.publish(log[:3_500])
    rig.start(SINK__BATCH_ROWS="100")
    rig.wait_until_done(2_500, within_s=120)
    created = dict(rig.query(_CREATED))
    died: Counter[str] = Counter()
    for number, phase in enumerate(PHASES):
        published += rig.publish(log[published : published + 200])
        died[_killed(rig, directory / f"rebuild-{number}.log", command, phase, chance)] += 1
        assert len(dict(rig.query(_CREATED))) >= len(created)
    rig.publish(log[published:])
    _to_its_end(rig, directory / "rebuild.log", command)
    rig.wait_until_done(len(log), within_s=120)
    held = [decode(record.value) for record in records(rig, rig.topic)]
    assert Counter(event.event_id for event in held) == Counter(event.event_id for event in log)
    rig.assert_as_expected(held)
    now = dict(rig.query(_CREATED))
    assert {session: now[session] for session in created} == created
    assert {state for (state,) in rig.query("SELECT state FROM replays")} == {"done"}
    assert rig.query(_SHADOWS) == []
    return died


def _killed(rig: SinkRig, log: Path, command: Sequence[str], phase: str, chance: random.Random) -> str:
    """Kill it in this step, or a little later; returns the step that was noted last."""
    before = rig.query(_LAST_DONE)[0][0]
    rig.query("UPDATE replays SET phase = 'killed' WHERE state = 'unfinished'")
    later = (*PHASES[PHASES.index(phase) :], "")
    reached = f"SELECT 1 FROM replays WHERE id > {before} AND (state = 'done' OR phase IN {later!r})"
    process = _started(rig, log, command, reached)
    after_s = chance.choice([0.0, chance.uniform(0.0, 0.02), chance.uniform(0.0, 0.3)])
    children = [one for one in map(identify, children_of(process.pid)) if one]
    try:
        process.wait(after_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(PATIENCE_S)
    assert process.returncode in {0, -9}, log.read_text("utf-8")
    eventually(lambda: not any(child.is_alive() for child in children))
    return str(rig.query(_LAST)[0][1])


def _started(rig: SinkRig, log: Path, command: Sequence[str], reached: str) -> subprocess.Popen[bytes]:
    """Start it, again while Postgres has not noticed that the killed one is gone; wait until it is there."""
    for _ in range(20):
        process = started(rig, log, *command)
        eventually(
            lambda: process.poll() is not None or rig.query(reached),  # noqa: B023 - asked in this turn alone
            within_s=120,
            every_s=0.002,
        )
        if process.poll() in {None, 0} or _BUSY not in log.read_text("utf-8"):
            return process
        log.write_bytes(b"")
    raise AssertionError("the lock of one that was killed is held on and on")


def _to_its_end(rig: SinkRig, log: Path, command: Sequence[str]) -> None:
    def ended() -> bool:
        process = started(rig, log, *command)
        if process.wait(240) and _BUSY in log.read_text("utf-8"):
            log.write_bytes(b"")
            return False
        assert process.returncode == 0, log.read_text("utf-8")
        return True

    eventually(ended, within_s=300)


def kill_copy(
    rig: SinkRig, admin: AdminClient, directory: Path, chance: random.Random, *, count: int, kills: int
) -> Counter[str]:
    """Kill a copy so many times at seeded counts of what it has sent; nothing is missing or changed then."""
    events = [made(session=f"s-{n}", user=f"u-{n % 9}") for n in range(count)]
    rig.publish(events)
    target = new_topic(admin)
    words = ("replay", "--topic", target, "--execute")
    for turn in range(kills):
        command = started(rig, directory / f"copy-{turn}.log", *words, "--rate", "600")
        before = sum(ends(admin, target).values())
        wanted = before + chance.randrange(1, count // (kills + 1))
        eventually(
            lambda wanted=wanted: sum(ends(admin, target).values()) >= wanted,  # type: ignore[misc]
            within_s=90,
        )
        assert command.poll() is None
        command.kill()
        command.wait(PATIENCE_S)
    assert told(rig, "replays", "list")["replays"][0]["state"] == "interrupted"
    assert run(rig, *words).exit_code == 0
    found = [record.value for record in records(rig, target)]
    assert set(found) == {encode(event) for event in events}
    assert [one["state"] for one in told(rig, "replays", "list")["replays"]] == ["done"]
    assert told(rig, "replays", "show", 1)["read"] == count
    return Counter(copying=kills)
