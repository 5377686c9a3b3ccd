"""Pages on Postgres: it is away, it takes no writes, it was put back to a backup."""

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import Popen

import httpx
import pytest

from config.embedded.services import EmbeddedServices
from config.errors import ExitCode
from schemas.event import EventType
from tests.events import made
from tests.eventually import PATIENCE_S, eventually
from tests.faults.runbooks.pages import Runbook, lag, sum_of
from tests.faults.sink.test_restored_backup import copy_of
from tests.integration.test_dead_letters_command import NEWER
from tests.integration.test_sink_metrics import base_url, samples
from tests.operator_shell import Shell
from tests.sink_rig import PATIENT_SESSION, SinkRig

pytestmark = [pytest.mark.integration, pytest.mark.faults, pytest.mark.timeout(150)]

_NIGHT = made(session="before", sequence=1)
OF_EACH_OUTCOME = (
    _NIGHT,
    _NIGHT,  # a duplicate
    made(session="before"),  # stale
    made(session="none", kind=EventType.UNKNOWN),  # passed
)


def test_postgres_is_gone(rig: SinkRig, postgres: EmbeddedServices, tmp_path: Path) -> None:
    """breaker-open.md: the sink says what it saw, psql sees the same, and it is over by itself."""
    page, sink = Runbook("breaker-open.md"), rig.start()
    rig.publish([made(session="s-1")])
    rig.wait_until_done(1)
    url = base_url(rig, sink)
    shell = Shell(rig.environment(), tmp_path)
    postgres.stop("postgres", "kill")
    late = rig.start()
    rig.publish([made(session="s-2")])
    eventually(lambda: samples(url)[page.metric("breaker_state"), "postgres"] == 2)
    assert samples(url)[page.metric("db_connection_errors_total"),] > 0
    assert samples(url)[page.metric("breaker_transitions_total"), "open", "postgres"] > 0
    eventually(lambda: samples(url)[page.metric("sink_oldest_unwritten_seconds"),] > 1)
    assert rig.told(sink, page.log("breaker_changed"), to="open")
    assert rig.told(sink, page.log("job_failed"))
    eventually(lambda: rig.told(late, page.log("postgres_unreachable")))
    asked = page.command("curl", {"http://127.0.0.1:9102": url})
    seen = json.loads(shell.run(asked))["dependencies"]["postgres"]
    assert (seen["up"], seen["circuit"] in {"open", "half-open"}) == (False, True)
    assert seen["failures_in_a_row"] > 0
    assert seen["problem"]
    ask = page.command('psql "$DATABASE_URL"')
    assert "connection failed" in shell.run(ask, code=1)  # the cause
    postgres.start("postgres")
    rig.reconnect()
    assert shell.run(ask) == "False\n"
    shell.run(page.command('psql "$DATABASE_URL"'))
    rig.wait_until_done(2)
    assert rig.told(sink, "breaker_changed", to="closed")
    eventually(lambda: samples(url)["breaker_state", "postgres"] == 0)
    page.assert_followed()


@contextmanager
def backup_put_back(rig: SinkRig, postgres: EmbeddedServices, directory: Path) -> Iterator[None]:
    """All that is written in the block is gone after it: the data directory is copied, and put back."""
    data, backup = Path(rig.query("SHOW data_directory")[0][0]), directory / "backup"
    postgres.stop("postgres")
    copy_of(data, backup)
    postgres.start("postgres")
    rig.reconnect()
    yield
    postgres.stop("postgres")
    shutil.rmtree(data)
    copy_of(backup, data)
    postgres.start("postgres")
    rig.reconnect()


SLOWLY = """
CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN PERFORM pg_sleep(0.02); RETURN NEW; END $$;
CREATE TRIGGER slowly BEFORE UPDATE ON consumer_offsets FOR EACH ROW EXECUTE FUNCTION slowly();
"""
"""So that reading again takes longer than the second between two looks at the lag."""


def test_a_backup_was_put_back(rig: SinkRig, postgres: EmbeddedServices, tmp_path: Path) -> None:
    """restored-backup.md: a running sink reads again by itself; what operators did since is done again.

    Method: of what came since the backup, a record in the middle had to be stepped over.
    """
    page, shell = Runbook("restored-backup.md"), Shell(rig.environment(), tmp_path)
    quick = {
        "SINK__TOPIC_CHECK_S": "0.5",
        "SINK__BATCH_ROWS": "10",
        "METRICS__INTERVAL_S": "0.05",
        "KAFKA__OPTIONS": PATIENT_SESSION,
    }
    rig.query(SLOWLY)
    sink = rig.start(**quick)
    rig.publish_bytes([(b"u-1", b"junk")])
    rig.publish(OF_EACH_OUTCOME)
    rig.wait_until_done(5)
    eventually(lambda: rig.query("SELECT count(*) FROM dead_letters") == [(1,)])
    assert {name for name, count in rig.sums().items() if count == 0} == {"erased"}
    with backup_put_back(rig, postgres, tmp_path):
        rig.publish(made(session=f"s-{n}") for n in range(1_000))
        rig.publish_bytes([(b"u-1", NEWER)])
        assert sink.wait(60) == ExitCode.STOPPED_FOR_SAFETY
        (at,) = rig.told(sink, "record_stops_the_sink")
        park = f"session-relay dead-letters park {rig.topic} {at['partition']} {at['offset']} --execute"
        shell.run(park)
        shell.run("session-relay dead-letters discard --all --execute")
        rig.publish(made(session=f"t-{n}") for n in range(1_000))
        url = base_url(rig, sink := rig.start(**quick))
        rig.wait_until_done(2_006)
        counted = page.metric("sink_records_total"), "written"
        eventually(lambda: samples(url).get(counted) == 1_000)
    seen = until_gone(url)
    assert max(told.get(counted, 0) for told in seen) > 1_000  # again what it had counted before
    assert max(sum_of(told, page.metric("sink_lag_records")) for told in seen) > 1_000
    assert_went_back(rig, page, sink)
    assert_what_operators_do_again(page, shell, park)
    url = base_url(rig, sink := rig.start(**quick))
    rig.wait_until_done(2_006)
    assert rig.query("SELECT count(*) FROM sessions") == [(2_001,)]
    eventually(lambda: lag(url) == 0)
    assert samples(url)["sink_gap_records_total",] == 0
    assert sink.poll() is None
    page.assert_followed()


def until_gone(url: str) -> list[dict[tuple[str, ...], float]]:
    """The metrics of a sink for as long as it lives."""
    seen: list[dict[tuple[str, ...], float]] = []

    def is_over() -> bool:
        try:
            seen.append(samples(url))
        except httpx.TransportError:
            return True
        return False

    eventually(is_over)
    return seen


def assert_went_back(rig: SinkRig, page: Runbook, sink: Popen[bytes]) -> None:
    """It saw what had happened, went on where the backup is, and fell where it had fallen."""
    causes = {line["cause"] for line in rig.told(sink, page.log("job_failed"))}
    assert "the table is not where this member left it" in causes
    (stopped,) = rig.told(sink, "record_stops_the_sink")
    own = {"topic": rig.topic, "partition": stopped["partition"]}
    begins = [line["begin"] for line in rig.told(sink, page.log("partition_placed"), **own)]
    assert begins[-1] < begins[0]
    assert sink.wait(PATIENCE_S) == ExitCode.STOPPED_FOR_SAFETY


def assert_what_operators_do_again(page: Runbook, shell: Shell, park: str) -> None:
    assert "Nothing to do" in shell.run(page.command("session-relay migrate"))
    assert shell.run(page.command("psql")) == ""  # while records are still to be read
    assert "1 of 1 open" in shell.run(page.command("session-relay dead-letters list"))
    assert "0 of 0 skip" in shell.run(page.command("session-relay dead-letters list --state skip"))
    assert "Done: stored as" in shell.run(park)
