"""A record that Postgres rejects is counted as parked, at whatever moment a rebuild meets it."""

import pytest

from tests.events import made
from tests.rebuilding import begun
from tests.replay_commands import told
from tests.sink_rig import SinkRig

pytestmark = pytest.mark.integration
TRIGGERS = """
CREATE TABLE heard (session_id text);
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$;
CREATE FUNCTION alter_it() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN NEW.timezone := 'Asia/Seoul'; RETURN NEW; END $$;
CREATE FUNCTION hear() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN INSERT INTO heard VALUES (NEW.session_id); RETURN NULL; END $$;
CREATE TRIGGER refused BEFORE INSERT ON sessions FOR EACH ROW
    WHEN (NEW.session_id IN ('beast', 'old')) EXECUTE FUNCTION refuse();
CREATE TRIGGER altered BEFORE INSERT OR UPDATE OF sequence ON sessions FOR EACH ROW
    EXECUTE FUNCTION alter_it();
CREATE TRIGGER fixed BEFORE UPDATE ON sessions FOR EACH ROW
    WHEN (NEW.created_at <> OLD.created_at) EXECUTE FUNCTION refuse();
CREATE TRIGGER heard AFTER INSERT OR UPDATE ON sessions FOR EACH ROW EXECUTE FUNCTION hear();
"""
ROWS = "SELECT session_id, timezone, created_at FROM sessions ORDER BY 1"
OF_TABLE = "SELECT tgname::text FROM pg_trigger WHERE tgrelid = 'sessions'::regclass ORDER BY 1"
PARKED = "SELECT sum(parked) FROM rebuild_1.consumer_offsets"


def test_triggers_refuse_and_alter_what_is_folded_as_they_did_for_sinks(rig: SinkRig) -> None:
    """Method: one of each kind, and a row of another topic's that would be refused today."""
    rig.publish([made(session="old")])
    rig.let_write(1)
    rig.query("UPDATE sessions SET kafka_topic_id = gen_random_uuid()")
    rig.query(TRIGGERS)
    rig.publish([made(session="beast"), *(made(session=f"s-{n}") for n in range(9))])
    rig.let_write(11)
    assert rig.sums()["parked"] == 1
    before, heard = rig.query(ROWS), rig.query("SELECT * FROM heard ORDER BY 1")
    assert [zone for _, zone, _ in before] == [None, *["Asia/Seoul"] * 9]
    done = told(rig, "replay", "--rebuild", "--execute")
    assert (done["beyond_the_log"], done["difference"]["columns"]) == (1, {})
    assert (done["difference"]["only_in_log"], done["difference"]["only_in_table"]) == (0, 0)
    assert rig.query(PARKED) == [(2,)]  # the old one's record, too
    rig.publish([made(session="s-3", sequence=7), made(session="later")])
    rig.let_write(13)
    before, heard = rig.query(ROWS), rig.query("SELECT * FROM heard ORDER BY 1")
    assert told(rig, "replay", "--rebuild", "--swap", "--execute")["swapped"]
    assert (rig.query(ROWS), rig.query("SELECT * FROM heard ORDER BY 1")) == (before, heard)
    assert rig.query(OF_TABLE) == [("altered",), ("fixed",), ("heard",), ("refused",)]
    rig.publish([made(session="beast", sequence=2), made(session="last")])
    rig.let_write(15)
    assert rig.sums()["parked"] == 2
    assert rig.query("SELECT timezone FROM sessions WHERE session_id = 'last'") == [("Asia/Seoul",)]
    assert len(rig.query("SELECT * FROM heard")) == len(heard) + 1


def test_one_that_comes_between_fold_and_comparison(rig: SinkRig) -> None:
    """Method: the steps one by one; the record is published, and parked by a sink, between them."""
    rig.query("ALTER TABLE sessions ADD CONSTRAINT tame CHECK (session_id <> 'beast')")
    rig.publish(made(session=f"s-{n}") for n in range(20))
    rig.start()
    rig.wait_until_done(20)
    with begun(rig) as (building, _):
        building.catch_up(lambda _: None)
        rig.publish([made(session="beast"), made(session="later")])
        rig.wait_until_done(22)
        difference = building.compare(most=5, show_values=False)
    assert (difference.only_in_log, difference.only_in_table, difference.differing) == (0, 0, 0)
    assert rig.query(PARKED) == [(1,)]
    assert rig.query("SELECT count(*) FROM rebuild_1.sessions") == [(21,)]
