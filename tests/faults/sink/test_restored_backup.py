"""A backup of Postgres is put back: sinks go on from its own offsets, as if the time since had not been."""

import random
import shutil
import signal
import subprocess
from pathlib import Path

import pytest

from config.embedded.services import EmbeddedServices
from tests.events import history
from tests.eventually import PATIENCE_S, eventually
from tests.integration.test_dead_letters_projected import put
from tests.sink_rig import SinkRig

pytestmark = [pytest.mark.integration, pytest.mark.faults]

LETTERS = "SELECT count(*) FROM dead_letters"


@pytest.fixture
def data(rig: SinkRig) -> Path:
    return Path(rig.query("SHOW data_directory")[0][0])


def copy_of(data: Path, into: Path) -> Path:
    """With owners and modes, as Postgres insists."""
    subprocess.run(["cp", "-a", data, into], check=True, timeout=60)
    return into


@pytest.mark.timeout(180)
@pytest.mark.parametrize("sinks", ["running", "restarted"])
def test_it_ends_as_one_clean_pass(
    rig: SinkRig, postgres: EmbeddedServices, data: Path, tmp_path: Path, sinks: str
) -> None:
    """Nothing new is published afterwards: no record tells a sink that runs of the table's return.

    Method: stop Postgres, copy its data directory, write on, put the copy back.
    """
    log = history(random.Random(12), 1_000, sessions=60)
    bad = [(b"u-1", b"junk"), (b"u-2", b"junk")]
    rig.publish(log[:500])
    rig.publish_bytes(bad[:1])
    sink = rig.start(SINK__TOPIC_CHECK_S="1", SINK__BATCH_ROWS="100")
    rig.wait_until_done(501)
    postgres.stop("postgres")
    backup = copy_of(data, tmp_path / "backup")
    postgres.start("postgres")
    rig.reconnect()
    rig.publish(log[500:])
    rig.publish_bytes(bad[1:])
    rig.wait_until_done(1_002)
    eventually(lambda: rig.query(LETTERS) == [(2,)])
    if sinks == "restarted":
        sink.send_signal(signal.SIGTERM)
        assert sink.wait(PATIENCE_S) == 0
    postgres.stop("postgres")
    shutil.rmtree(data)
    copy_of(backup, data)
    postgres.start("postgres")
    rig.reconnect()
    if sinks == "restarted":
        assert rig.done() == 501
        rig.start()
    eventually(lambda: rig.query(LETTERS) == [(2,)])
    rig.wait_until_done(1_002)
    assert rig.sums()["parked"] == 2
    rig.assert_as_expected(log)


@pytest.mark.timeout(120)
def test_a_backup_put_back_while_everything_runs_is_noticed_without_a_record(rig: SinkRig) -> None:
    """No connection is lost, nothing comes: only the look at the table tells events and letters from before.

    Method: copies of the tables, put back in one transaction.
    """
    log = history(random.Random(13), 400, sessions=40)
    tables = ("sessions", "consumer_offsets", "dead_letters")
    rig.start(SINK__TOPIC_CHECK_S="1")
    rig.publish(log[:200])
    put(rig, b"an item")
    eventually(lambda: rig.query(LETTERS) == [(1,)])
    rig.wait_until_done(200)
    for table in tables:
        rig.query(f"CREATE TABLE saved_{table} AS TABLE {table}")
    rig.publish(log[200:])
    put(rig, b"another")
    eventually(lambda: rig.query(LETTERS) == [(2,)])
    rig.wait_until_done(400)
    back = [
        f"TRUNCATE {table}; INSERT INTO {table} OVERRIDING SYSTEM VALUE SELECT * FROM saved_{table}"
        for table in tables
    ]
    rig.query(";".join(back))  # without parameters, all of it is one transaction
    rig.wait_until_done(400)
    eventually(lambda: rig.query(LETTERS) == [(2,)])
    rig.assert_as_expected(log)
