"""A swap that would turn rows back, or lose what sinks wrote of another log, is refused; locks end alone."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from config.errors import StoppedForSafety
from consumers.replay.swap import swapped
from schemas.event import EventType
from tests.events import made
from tests.rebuilding import begun
from tests.replay_commands import run, told
from tests.sink_rig import SinkRig

pytestmark = pytest.mark.integration

SWAP = ("replay", "--rebuild", "--swap", "--execute")
STATES = "SELECT session_id, type, normaliser FROM sessions ORDER BY 1"
Swapping = Callable[[], bool]


@contextmanager
def built(rig: SinkRig) -> Iterator[Swapping]:
    """A rebuild that is about to be swapped."""
    with begun(rig) as (building, replay):
        building.catch_up(lambda _: None)
        since = building.finish(lambda _: None)
        yield lambda: swapped(building, replay, since)


@pytest.mark.parametrize("later", ["type = 'SESSION_COMPLETE'", "normaliser = normaliser + 1"])
def test_later_states_than_those_of_the_log_are_turned_back_only_if_that_is_allowed(
    rig: SinkRig, later: str
) -> None:
    """As a log leaves them that was cut and has grown again, or a rebuild that renormalised."""
    rig.publish([made(session=f"s-{n}", kind=EventType.SESSION_STARTED) for n in range(5)])
    rig.let_write(5)
    of_the_log = rig.query(STATES)
    rig.query(f"UPDATE sessions SET {later} WHERE session_id = 's-3'")
    rig.query("UPDATE sessions SET sequence = sequence - 1 WHERE session_id = 's-4'")
    live = rig.query(STATES)
    refused = run(rig, *SWAP)
    assert isinstance(refused.exception, StoppedForSafety)
    assert str(refused.exception).startswith("1 rows of the live table have a later state")
    assert "rows that a swap would turn back: 1" in refused.stdout
    assert rig.query(STATES) == live
    done = told(rig, *SWAP, "--allow-older")
    assert (done["difference"]["differing"], done["difference"]["turned_back"]) == (2, 1)
    assert rig.query(STATES) == of_the_log


@pytest.mark.parametrize(
    "begun_anew",
    [
        "topic_id = gen_random_uuid(), next_offset = 7, written = 7",
        "next_offset = next_offset - 1",
        "written = written - 1, duplicate = duplicate + 1",
    ],
)
def test_what_sinks_wrote_of_another_log_is_not_lost(rig: SinkRig, begun_anew: str) -> None:
    """As they note it after the topic was recreated, or its log cut and read again, during a rebuild."""
    rig.publish([made(session=f"s-{n}") for n in range(5)])
    rig.let_write(5)
    with built(rig) as swapping:
        rig.query(f"UPDATE consumer_offsets SET {begun_anew} WHERE next_offset > 0")
        with pytest.raises(StoppedForSafety, match="begun anew with partition"):
            swapping()
    assert rig.query("SELECT to_regclass('replaced_1.sessions')") == [(None,)]


def test_records_that_are_folded_behind_the_locks_leave_their_time_outs(rig: SinkRig) -> None:
    """Else a process that is frozen there would hold up every sink and reader for ever."""
    rig.publish([made(session=f"s-{n}") for n in range(5)])
    rig.let_write(5)
    rig.query(
        "CREATE TABLE seen (idle text, statement text);"
        "CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen VALUES"
        " (current_setting('idle_in_transaction_session_timeout'), current_setting('statement_timeout'));"
        " RETURN NEW; END $$;"
        "CREATE TRIGGER see BEFORE UPDATE ON replays FOR EACH ROW WHEN (NEW.phase = 'swapped')"
        " EXECUTE FUNCTION see()"
    )
    with built(rig) as swapping:
        rig.publish([made(session="later")])
        rig.let_write(6)
        assert swapping()
    assert rig.query("SELECT * FROM seen") == [("5s", "1min")]
    assert rig.query("SELECT count(*) FROM sessions") == [(6,)]
