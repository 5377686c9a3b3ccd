"""The limits of a transaction, in force at every statement that writes."""

import pytest

from tests.events import made
from tests.eventually import eventually
from tests.sink_rig import SinkRig

pytestmark = pytest.mark.integration

WATCH = """
CREATE TABLE seen (of text, statement_timeout text, lock_timeout text, idle text, keepalive text);
CREATE FUNCTION watch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    INSERT INTO seen SELECT tg_table_name,
        current_setting('statement_timeout'), current_setting('lock_timeout'),
        current_setting('idle_in_transaction_session_timeout'), current_setting('tcp_keepalives_idle');
    RETURN NULL;
END $$;
CREATE TRIGGER watch AFTER INSERT ON sessions EXECUTE FUNCTION watch();
CREATE TRIGGER watch AFTER INSERT OR UPDATE ON consumer_offsets EXECUTE FUNCTION watch();
CREATE TRIGGER watch AFTER INSERT ON dead_letters EXECUTE FUNCTION watch();
"""


def test_each_table_is_written_under_the_limits_that_are_set(rig: SinkRig) -> None:
    """Method: triggers note what is in force at every statement that writes."""
    rig.query(WATCH)
    rig.publish([made(session="s-1")])
    rig.publish_bytes([(b"u-1", b"junk")])
    rig.start(DB__STATEMENT_TIMEOUT_S="21", DB__LOCK_TIMEOUT_S="4.5")
    rig.wait_until_done(2)
    eventually(lambda: rig.query("SELECT 1 FROM dead_letters"))
    rows = rig.query("SELECT DISTINCT * FROM seen ORDER BY 1")
    limits = ("21s", "4500ms", "15s", "10")
    assert rows == [(table, *limits) for table in ("consumer_offsets", "dead_letters", "sessions")]
