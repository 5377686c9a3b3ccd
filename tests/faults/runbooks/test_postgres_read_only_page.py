"""The page on a Postgres that takes no writes: somebody set it so, it is a replica, or its disk is full."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random
from subprocess import Popen

import pytest
from psycopg.conninfo import conninfo_to_dict

from config.embedded.services import EmbeddedServices
from config.errors import ExitCode
from tests.docs.test_operations import RUNBOOKS
from tests.events import made
from tests.eventually import PATIENCE_S, eventually
from tests.faults.runbooks.pages import Runbook, lag
from tests.integration.test_sink_metrics import base_url, samples
from tests.operator_shell import Shell
from tests.postgres_pair import Pair
from tests.sink_rig import SinkRig
from tests.small_disk import NEEDS_ROOT, fill, small_disk

pytestmark = [pytest.mark.integration, pytest.mark.faults, pytest.mark.timeout(150)]

OTHERS = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
)


NIGHT = bytes(Random(1).choices((0, 1, 2, 3), k=8_000))
RESETS = (
    'psql "$DATABASE_URL" -c \'ALTER SYSTEM',
    'psql "$DATABASE_URL" -c \'SELECT pg_reload_conf',
    "PGOPTIONS",
)
NOT_PREPARED = "error connecting in 'sink': cannot execute CREATE TABLE in a read-only transaction"
NO_CONNECTION = "no connection from the pool in time"


class ReadOnlyOrFull:
    """postgres-read-only-or-full.md, whichever it is: the same signs, the same first look."""

    def __init__(self, rig: SinkRig, directory: Path) -> None:
        self.page, self._rig = Runbook("postgres-read-only-or-full.md"), rig
        self.shell = Shell(rig.environment(), directory)

    def assert_seen(self, sink: Popen[bytes], cause: str) -> None:
        """The breaker is open, and the log has the cause, in the page's words."""
        page, url = self.page, base_url(self._rig, sink)
        assert cause in RUNBOOKS["postgres-read-only-or-full.md"]
        eventually(lambda: samples(url)[page.metric("breaker_state"), "postgres"] == 2)
        failed = self._rig.told(sink, page.log("job_failed"))
        assert any(cause in line["cause"] for line in failed)
        assert self._rig.told(sink, page.log("breaker_changed"), to="open")

    def looks(self) -> tuple[str, str]:
        """Take the first commands; returns whether it is a replica, and what was set where."""
        page, shell = self.page, self.shell
        replica, setting = (shell.run(page.command('psql "$DATABASE_URL"')) for _ in range(2))
        assert "B\n" in shell.run(page.command('psql "$DATABASE_URL"'))  # such as `7671 kB`
        host = conninfo_to_dict(self._rig.database_url)["port"]
        assert f"port={host}" in shell.run(page.command("session-relay config check"))
        return replica, setting

    def assert_over(self, sink: Popen[bytes], count: int) -> None:
        self._rig.wait_until_done(count)
        eventually(lambda: self._rig.told(sink, "breaker_changed", to="closed"))
        eventually(lambda: lag(base_url(self._rig, sink)) == 0)
        assert self._rig.sums()["parked"] == 0
        self.page.assert_followed()


def test_somebody_turned_the_database_read_only(rig: SinkRig, tmp_path: Path) -> None:
    """A setting of a database is for new connections: those that were there go on writing."""
    drill, sink = ReadOnlyOrFull(rig, tmp_path), rig.start()
    rig.publish([made(session="s-1")])
    rig.wait_until_done(1)
    name = f'"{conninfo_to_dict(rig.database_url)["dbname"]}"'
    rig.query(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    rig.query(OTHERS)
    rig.publish([made(session="s-2")])
    drill.assert_seen(sink, NO_CONNECTION)
    assert rig.told(sink, NOT_PREPARED)
    assert drill.looks() == ("False\n", "on | database\n")  # the cause
    drill.page.pass_over("df", *RESETS[:2])
    drill.shell.run(drill.page.command("PGOPTIONS", {"DATABASE sleep": f"DATABASE {name}"}))
    drill.assert_over(sink, 2)


@contextmanager
def read_only(rig: SinkRig) -> Iterator[None]:
    """All of the server, as a provider does: connections stay, and take no more writes."""
    rig.query("ALTER SYSTEM SET default_transaction_read_only = on")
    rig.query("SELECT pg_reload_conf()")  # which waits for nobody
    eventually(lambda: rig.query("SHOW default_transaction_read_only") == [("on",)])
    try:
        yield
    finally:
        rig.query("ALTER SYSTEM RESET default_transaction_read_only")
        rig.query("SELECT pg_reload_conf()")


def test_a_provider_turned_the_server_read_only(rig: SinkRig, tmp_path: Path) -> None:
    drill, sink = ReadOnlyOrFull(rig, tmp_path), rig.start()
    rig.publish([made(session="s-1")])
    rig.wait_until_done(1)
    with read_only(rig):
        rig.publish([made(session="s-2")])
        drill.assert_seen(sink, "ReadOnlySqlTransaction (25006)")
        assert drill.looks() == ("False\n", "on | configuration file\n")  # the cause
        drill.page.pass_over("df", "PGOPTIONS")
        for reset in RESETS[:2]:
            drill.shell.run(drill.page.command(reset))
        drill.assert_over(sink, 2)


@contextmanager
def on_a_small_disk(rig: SinkRig) -> Iterator[Path]:
    """The rows of sessions are on a disk of their own, which Postgres' user may write to."""
    data = Path(rig.query("SHOW data_directory")[0][0])
    with small_disk(data.parent / "small", "2m", data.stat().st_uid) as disk:
        rig.query(f"CREATE TABLESPACE small LOCATION '{disk}'")
        try:
            rig.query("ALTER TABLE sessions SET TABLESPACE small")
            yield disk
        finally:
            rig.query("ALTER TABLE sessions SET TABLESPACE pg_default")
            rig.query("DROP TABLESPACE small")


@NEEDS_ROOT
def test_the_disk_of_postgres_is_full(rig: SinkRig, tmp_path: Path) -> None:
    """The breaker changes to and fro: the probe fits, what waits does not."""
    drill = ReadOnlyOrFull(rig, tmp_path)
    with on_a_small_disk(rig) as disk:
        sink = rig.start()
        rig.publish([made(session="s-1")])
        rig.wait_until_done(1)
        filler = fill(disk)
        rig.publish(made(session=f"t-{n}", stages=NIGHT) for n in range(40))
        drill.assert_seen(sink, "DiskFull (53100)")
        assert drill.looks() == ("False\n", "off | default\n")
        df = drill.page.command("df", {"/var/lib/postgresql": str(disk)})
        assert " 100% " in drill.shell.run(df)  # the cause
        drill.page.pass_over(*RESETS)
        filler.unlink()
        drill.assert_over(sink, 41)


@pytest.fixture
def pair() -> Iterator[Pair]:
    with Pair.running() as pair:
        yield pair


def test_the_address_leads_to_a_replica(
    services: EmbeddedServices, topic: str, pair: Pair, tmp_path: Path
) -> None:
    rig = SinkRig(services, topic, pair.second.url, tmp_path)
    try:
        drill, wrong = ReadOnlyOrFull(rig, tmp_path), rig.start()
        rig.publish([made(session="s-1")])
        drill.assert_seen(wrong, NO_CONNECTION)
        assert rig.told(wrong, NOT_PREPARED)
        assert drill.looks()[0] == "True\n"  # the cause
        drill.page.pass_over("df", *RESETS)
        wrong.terminate()
        assert wrong.wait(PATIENCE_S) == ExitCode.DONE
        sink = rig.start(DATABASE_URL=pair.url)  # both hosts, and target_session_attrs=read-write
        rig.wait_until_done(1)
        eventually(lambda: lag(base_url(rig, sink)) == 0)
        assert rig.told(sink, "breaker_changed") == []
        drill.page.assert_followed()
    finally:
        rig.close()
