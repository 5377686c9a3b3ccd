"""The page on a vendor's broken field, run command by command."""

import json
from pathlib import Path

import msgspec
import pytest

from config.errors import ExitCode
from schemas.codec import encode
from schemas.event import SessionEvent, Statistics
from schemas.identity import event_id
from tests.events import made
from tests.eventually import PATIENCE_S, eventually
from tests.operator_shell import Shell, steps_of
from tests.sink_rig import SinkRig

pytestmark = pytest.mark.integration

STEPS = steps_of("vendor-sent-a-broken-field.md")
RULE = "ALTER TABLE sessions ADD CONSTRAINT a_night_fits_a_day CHECK (time_in_bed <= 86400)"


class Operator:
    """Does the steps of the page with the rig's settings."""

    def __init__(self, rig: SinkRig, directory: Path) -> None:
        self._shell = Shell(rig.environment(SINK__STORM_WINDOW="20"), directory)

    def takes(self, step: str) -> str:
        """Run one step of the page."""
        return self._shell.run(STEPS[step])


def night(number: int, time_in_bed: float) -> SessionEvent:
    event = msgspec.structs.replace(
        made(session=f"s-{number}"), source="mine", statistics=Statistics(time_in_bed=time_in_bed)
    )
    return msgspec.structs.replace(event, event_id=event_id(event))


def publish(rig: SinkRig, events: list[SessionEvent]) -> None:
    for event in events:
        headers = [("ce_source", f"/sources/{event.source}".encode())]
        rig.producer.produce(rig.topic, encode(event), event.user_id, headers=headers)  # type: ignore[arg-type]
    assert rig.producer.flush(PATIENCE_S) == 0


def states(rig: SinkRig) -> dict[str, int]:
    return dict(rig.query("SELECT state, count(*)::int FROM dead_letters GROUP BY 1"))


@pytest.fixture
def operator(rig: SinkRig, tmp_path: Path) -> Operator:
    return Operator(rig, tmp_path)


def test_every_step_of_the_page_is_run_here() -> None:
    assert list(STEPS) == ["look", "accept", "ours", "theirs", "over"]


@pytest.mark.timeout(180)
def test_our_rule_was_wrong(rig: SinkRig, operator: Operator) -> None:
    rig.query(RULE)
    publish(rig, [night(n, 90_000.0 if n % 5 == 0 else 27_000.0) for n in range(25)])
    rig.start()
    eventually(lambda: states(rig) == {"open": 5})
    seen = operator.takes("look")
    assert "5 of 5 open" in seen
    assert "constraint a_night_fits_a_day" in seen
    assert '"time_in_bed": 90000.0' in seen
    assert "Done: 5 sent again." in operator.takes("ours")
    eventually(lambda: rig.sums()["written"] == 25)
    over = operator.takes("over").splitlines()
    assert over[0] == "0 of 0 open"
    assert {letter["state"] for letter in json.loads(over[1])["letters"]} == {"redriven"}


@pytest.mark.timeout(180)
def test_the_vendor_was_wrong_and_it_was_a_storm(rig: SinkRig, operator: Operator) -> None:
    """Milliseconds for seconds; it sends the nights again when it has mended that."""
    rig.query(RULE)
    publish(rig, [night(n, 27_000_000.0) for n in range(30)])
    stopped = rig.start(SINK__STORM_WINDOW="20")
    assert stopped.wait(PATIENCE_S) == ExitCode.STOPPED_FOR_SAFETY
    assert states(rig) == {}
    accepting = STEPS["accept"].split()
    assert accepting[:2] == ["session-relay", "sink"]
    assert accepting[-1] == "&"
    rig.start(*accepting[2:-1], SINK__STORM_WINDOW="20")
    eventually(lambda: states(rig) == {"open": 30})
    operator.takes("look")
    publish(rig, [night(n, 27_000.0) for n in range(30)])
    eventually(lambda: rig.sums()["written"] == 30)
    assert "Done: 30 discarded." in operator.takes("theirs")
    assert operator.takes("over").startswith("0 of 0 open")
    rig.assert_accounted()
