"""The page on upgrades, run: the first version, new processes in their place, deliveries all along."""

import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from config.embedded.services import EmbeddedServices
from config.errors import ExitCode
from schemas.codec import encode
from schemas.versions import VERSIONS
from tests.deliveries import as_body, generic_session
from tests.docs.source_tree import ROOT
from tests.events import made
from tests.eventually import PATIENCE_S
from tests.first_version import first_version
from tests.operator_shell import OperatorShell, steps_of
from tests.relay_process import RelayProcess, records
from tests.sink_rig import SinkRig

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]

STEPS = steps_of("upgrade.md")
EACH = 12
"""Deliveries between two steps."""


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Settings that run a process on the first version's tree."""
    return first_version(tmp_path_factory.mktemp("first-version"))


@pytest.fixture
def empty_rig(services: EmbeddedServices, topic: str, tmp_path: Path) -> Iterator[SinkRig]:
    """Sinks on a database that nobody has migrated yet."""
    name = f"test-{uuid.uuid4()}"
    with psycopg.connect(services.addresses.database_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        rig = SinkRig(services, topic, make_conninfo(services.addresses.database_url, dbname=name), tmp_path)
        yield rig
        rig.close()
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


class Drill(OperatorShell):
    """An operator's shell, and a sender whose deliveries are acknowledged all along."""

    def __init__(self, rig: SinkRig, directory: Path) -> None:
        super().__init__(directory, rig.environment())
        self.rig = rig
        self.sent: list[str] = []

    def sends(self, relay: RelayProcess, **told: object) -> None:
        """Deliver so many sessions, each acknowledged."""
        for _ in range(EACH):
            session = f"night-{len(self.sent)}"
            body = as_body(generic_session(session_id=session, user_id=f"u-{len(self.sent) % 7}", **told))
            assert relay.post("/webhooks/plain", body).status_code == 200
            self.sent.append(session)

    def stored(self) -> dict[str, int | None]:
        """The table's sessions with what version 2 tells besides."""
        return dict(self.rig.query("SELECT session_id, utc_offset_seconds FROM sessions"))


def schema_ids(rig: SinkRig) -> set[int]:
    values = [record.value() for record in records(rig.kafka, rig.topic)]
    return {int.from_bytes(value[1:5]) for value in values if value is not None}


def test_every_step_of_the_page_is_run_here() -> None:
    assert list(STEPS) == ["look", "migrate", "over"]


def test_in_its_order_an_upgrade_costs_nothing(
    empty_rig: SinkRig, tmp_path: Path, old: dict[str, str]
) -> None:
    rig, drill = empty_rig, Drill(empty_rig, tmp_path)
    drill.does("session-relay migrate --execute", settings=old)
    with RelayProcess.running(tmp_path, rig.kafka, rig.topic, **old) as relay:
        sinks = [rig.start(**old), rig.start(**old)]
        drill.sends(relay, utc_offset_seconds=3_600)
        rig.wait_until_done(EACH)
        looked = drill.does(STEPS["look"])
        assert "added    utc_offset_seconds" in looked
        assert "0004_utc_offset" in looked
        drill.does(STEPS["migrate"])
        drill.sends(relay)
        rig.wait_until_done(2 * EACH)  # by the old sinks, on the new table
        for sink in sinks:
            sink.terminate()
            assert sink.wait(PATIENCE_S) == ExitCode.DONE
            rig.start()
            drill.sends(relay)
        rig.wait_until_done(4 * EACH)
        assert schema_ids(rig) == {VERSIONS[1].schema_id}
        assert relay.stop() == ExitCode.DONE
    (tmp_path / "new").mkdir()
    with RelayProcess.running(tmp_path / "new", rig.kafka, rig.topic) as relay:
        drill.sends(relay, utc_offset_seconds=3_600)
    rig.wait_until_done(5 * EACH)
    assert schema_ids(rig) == {VERSIONS[1].schema_id, VERSIONS[2].schema_id}
    offsets = dict.fromkeys(drill.sent[:-EACH]) | dict.fromkeys(drill.sent[-EACH:], 3_600)
    assert drill.stored() == offsets
    assert rig.sums() | {"written": 0} == dict.fromkeys(rig.sums(), 0)
    rig.assert_accounted()
    assert drill.does(STEPS["over"]).splitlines()[-1] == "0 of 0 open"


def test_a_sink_that_is_behind_stops_with_3_and_a_new_one_goes_on(rig: SinkRig, old: dict[str, str]) -> None:
    events = [made(session=f"s-{number}") for number in range(4)]
    rig.publish_bytes([(b"u-1", written_by_the_first(old))])
    sink = rig.start(**old)
    rig.wait_until_done(1)
    rig.publish(events)
    assert sink.wait(PATIENCE_S) == ExitCode.STOPPED_FOR_SAFETY
    assert "upgrade the sinks before the relays" in rig.log_of(sink)
    assert f"schema id {VERSIONS[2].schema_id}" in rig.log_of(sink)
    assert (rig.done(), rig.sums()["parked"]) == (1, 0)
    rig.start()
    rig.wait_until_done(5)
    assert rig.sums()["written"] == 5
    rig.assert_accounted()


def written_by_the_first(old: dict[str, str]) -> bytes:
    """An event as the first version's own codec writes it."""
    code = (
        "import sys; sys.path.append(sys.argv[1])\n"
        "from tests.events import made; from schemas.codec import encode\n"
        "sys.stdout.buffer.write(encode(made(session='first')))"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(ROOT)], env=os.environ | old, capture_output=True, check=True
    )
    assert run.stdout[:5] == b"\x00" + VERSIONS[1].schema_id.to_bytes(4)
    assert len(run.stdout) == len(encode(made(session="first"))) - 1  # the new field's null
    return run.stdout
