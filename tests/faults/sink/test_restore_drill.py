"""The page on disaster recovery, run: Postgres is lost, a backup and the log since make the present again.

`make restore-drill` runs the same with a million events, and prints how long each step takes.
"""

import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from config.embedded.postgres import NOBODY, choose_install
from config.embedded.services import EmbeddedServices
from config.migrations.apply import migrate
from schemas.event import SessionEvent
from tests.events import spread
from tests.eventually import PATIENCE_S, eventually
from tests.operator_shell import OperatorShell, steps_of
from tests.own_places import drop
from tests.postgres_server import Server
from tests.replay_commands import told
from tests.sink_rig import SinkRig

pytestmark = [pytest.mark.integration, pytest.mark.faults]

STEPS = steps_of("restore.md")
EVENTS = int(os.environ.get("RESTORE_DRILL_EVENTS", "2000"))
WITHIN_S = 120 + EVENTS / 2_000
BATCHES = {"SINK__TOPIC_CHECK_S": "1", "SINK__BATCH_ROWS": "200" if EVENTS < 50_000 else "20000"}
LETTERS = "SELECT count(*) FROM dead_letters"
CREATED = "SELECT session_id, created_at FROM sessions"


@pytest.fixture
def log() -> Sequence[SessionEvent]:
    return spread(random.Random(31), EVENTS, sessions=EVENTS // 3)


@pytest.fixture
def directory() -> Iterator[Path]:
    """A place that Postgres' own user may enter, with one for backups that is its own."""
    with tempfile.TemporaryDirectory(prefix="session-relay-restore-") as name:
        Path(name).chmod(0o755)
        (Path(name) / "backup").mkdir()
        if os.geteuid() == 0:
            os.chown(Path(name) / "backup", NOBODY, NOBODY)
        yield Path(name)


@pytest.fixture
def server(directory: Path) -> Iterator[Server]:
    with Server.running(directory) as server:
        migrate(server.url)
        yield server


def timed(name: str, events: int, step: Callable[[], object]) -> None:
    """Do it, and tell how long it took."""
    begun_s = time.monotonic()
    step()
    taken_s = time.monotonic() - begun_s
    print(f"{name}: {taken_s:.1f} s for {events:,} events, {taken_s / events * 1e6:.1f} s per million")  # noqa: T201


def shell_of(rig: SinkRig, directory: Path, install: Path) -> OperatorShell:
    return OperatorShell(directory, rig.environment(), install / "bin")


def assert_over(rig: SinkRig, shell: OperatorShell, log: Sequence[SessionEvent]) -> None:
    eventually(lambda: rig.query(LETTERS) == [(2,)])
    assert rig.sums()["parked"] == 2
    rig.assert_as_expected(log)
    over = shell.does(STEPS["over"]).split()
    assert over[-4:] == ["2", "of", "2", "open"]
    assert rig.topic not in over


def test_every_step_of_the_page_is_run_here() -> None:
    assert list(STEPS) == ["dump", "copy", "restore", "put_back", "look", "over"]


@pytest.mark.timeout(2 * WITHIN_S)
def test_a_dump_in_a_new_database_and_the_log_since_are_the_present(
    rig: SinkRig, services: EmbeddedServices, directory: Path, log: Sequence[SessionEvent]
) -> None:
    """Method: pg_dump while a sink writes, write on, DROP DATABASE under it, pg_restore into another one."""
    half = len(log) // 2
    shell = shell_of(rig, directory, choose_install(directory, lambda _: None))
    rig.publish_bytes([(b"u-1", b"junk")])
    rig.publish(log[:half])
    sink = rig.start(**BATCHES)
    rig.wait_until_done(half // 2, WITHIN_S)
    assert told(rig, "replay", "--rebuild", "--execute")["replay"] == 1
    timed("pg_dump", half, lambda: shell.does(STEPS["dump"], uid=owner(), within_s=WITHIN_S))
    rig.publish_bytes([(b"u-2", b"junk")])
    rig.publish(log[half:])
    rig.wait_until_done(len(log) + 2, WITHIN_S)
    created = dict(rig.query(CREATED))
    of_all, lost = services.addresses.database_url, str(conninfo_to_dict(rig.database_url)["dbname"])
    drop(of_all, lost)
    sink.terminate()
    assert sink.wait(PATIENCE_S) == 0
    new = f"{lost}-restored"
    with psycopg.connect(of_all, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(new)))
    try:
        rig.database_url = make_conninfo(of_all, dbname=new)
        shell = shell_of(rig, directory, choose_install(directory, lambda _: None))
        timed("pg_restore", half, lambda: shell.does(STEPS["restore"], within_s=WITHIN_S))
        rig.reconnect()
        backed_up = rig.done()
        assert half // 2 <= backed_up < len(log)
        rig.assert_accounted()
        looked = shell.does(STEPS["look"])
        assert rig.topic in looked
        kept = dict(rig.query(CREATED))
        assert kept == {session: created[session] for session in kept}
        rig.start(**BATCHES)
        left = len(log) + 2 - backed_up
        timed("the log since", left, lambda: rig.wait_until_done(len(log) + 2, WITHIN_S))
        assert_over(rig, shell, log)
        again = told(rig, "replay", "--rebuild", "--execute")  # its table was left out of the dump
        assert (again["goes_on_with"], again["difference"]["differing"]) == (1, 0)
    finally:
        rig.close()
        drop(of_all, new)


@pytest.mark.timeout(2 * WITHIN_S)
def test_a_copy_of_the_server_in_its_place_and_the_log_since_are_the_present(
    services: EmbeddedServices,
    topic: str,
    server: Server,
    directory: Path,
    tmp_path: Path,
    log: Sequence[SessionEvent],
) -> None:
    """Method: pg_basebackup while a sink writes, kill -9 of the server under load; the sink stays."""
    rig = SinkRig(services, topic, server.url, tmp_path)
    shell = shell_of(rig, directory, server.postgres.install)
    try:
        half = len(log) // 2
        rig.publish_bytes([(b"u-1", b"junk")])
        rig.publish(log[:half])
        sink = rig.start(**BATCHES)
        rig.wait_until_done(half // 2, WITHIN_S)
        timed("pg_basebackup", half, lambda: shell.does(STEPS["copy"], uid=owner(), within_s=WITHIN_S))
        rig.publish_bytes([(b"u-2", b"junk")])
        rig.publish(log[half:])
        rig.wait_until_done(half + (len(log) - half) // 2, WITHIN_S)
        server.kill()
        shell.does(STEPS["put_back"], settings={"PGDATA": str(server.data)})

        def back() -> None:
            server.start()
            rig.reconnect()
            rig.wait_until_done(len(log) + 2, WITHIN_S)

        timed("the server's start, and the log since", len(log) - half, back)
        assert rig.topic in shell.does(STEPS["look"])
        assert sink.poll() is None
        assert_over(rig, shell, log)
    finally:
        rig.close()


def owner() -> int | None:
    """The user that Postgres runs as, where that is not ours."""
    return NOBODY if os.geteuid() == 0 else None
