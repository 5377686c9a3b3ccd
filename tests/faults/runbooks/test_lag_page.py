"""The page on a lag that grows: Postgres is slow, settings are wrong, or nobody reads."""

import json
from pathlib import Path

import pytest

from config.errors import ExitCode
from tests.events import made
from tests.eventually import PATIENCE_S, eventually
from tests.faults.runbooks.pages import Runbook, is_gone, lag
from tests.integration.test_sink_metrics import base_url, samples
from tests.operator_shell import Shell
from tests.sink_rig import SinkRig

pytestmark = [pytest.mark.integration, pytest.mark.faults, pytest.mark.timeout(150)]

SLOW = """
CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS
'BEGIN PERFORM pg_sleep(0.005); RETURN NEW; END';
CREATE TRIGGER slow BEFORE INSERT ON sessions FOR EACH ROW EXECUTE FUNCTION slow()
"""
COULD_NOT_CONNECT = 7
"""Curl's exit code."""


def test_postgres_is_slow_and_then_nobody_reads(rig: SinkRig, tmp_path: Path) -> None:
    """lag-growing.md: the stage that takes the time is named, the exit code too; then it falls to 0."""
    page, shell = Runbook("lag-growing.md"), Shell(rig.environment(), tmp_path)
    rig.query(SLOW)
    sink = rig.start(DB__STATEMENT_TIMEOUT_S="1", DB__LOCK_TIMEOUT_S="0.9")
    url = base_url(rig, sink)
    rig.publish(made(session=f"s-{n}") for n in range(600))
    assert page.metric("sink_lag_records")
    eventually(lambda: lag(url) > 0)
    eventually(lambda: rig.told(sink, page.log("batch_halved")))
    eventually(lambda: samples(url)[page.metric("sink_oldest_unwritten_seconds"),] > 1)
    told = page.metric("sink_batch_seconds")
    eventually(lambda: samples(url).get((f"{told}_sum", "apply"), 0) > 0)
    health = json.loads(shell.run(page.command("curl", {"http://127.0.0.1:9102": url})))
    assert health["dependencies"]["postgres"]["circuit"] == "closed"
    scrape = page.command("curl", {"http://127.0.0.1:9102": url})
    seconds = stages(shell.run(scrape), told)
    assert max(seconds, key=lambda stage: seconds[stage]) == "apply"  # the cause
    rig.query("DROP TRIGGER slow ON sessions")
    assert_falls_to_0(rig, url, 600)
    sink.terminate()
    assert sink.wait(PATIENCE_S) == ExitCode.DONE
    assert rig.told(sink, page.log("sink_stopped"))
    assert page.metric("app_uptime_seconds")
    assert is_gone(url)
    shell.run(scrape, COULD_NOT_CONNECT)
    rig.publish(made(session=f"t-{n}") for n in range(30))
    assert_the_table_tells(shell.run(page.command("psql")), rig)
    check = page.command("session-relay config check")
    assert "SINK__BATCH_ROWS" in shell.run(f"SINK__BATCH_ROWS=many {check}", ExitCode.USAGE)
    assert "These settings can be used" in shell.run(check)
    words = page.command("session-relay sink").split()
    sink = rig.start(*words[2:])
    assert_falls_to_0(rig, base_url(rig, sink), 630)
    page.assert_followed(
        elsewhere={
            "partitions_lost": "tests/faults/sink/test_rebalance.py",
            "partitions_revoked": "tests/faults/sink/test_rebalance_during_outage.py",
            "kafka_error": "tests/integration/test_outage_in_logs.py",
            "polling_goes_on": "tests/faults/sink/test_slow_postgres.py",
        }
    )


def stages(scraped: str, name: str) -> dict[str, float]:
    """Seconds that each stage has taken so far."""
    lines = [line for line in scraped.splitlines() if line.startswith(f"{name}_sum")]
    return {line.split('"')[1]: float(line.rpartition(" ")[2]) for line in lines}


def assert_the_table_tells(answer: str, rig: SinkRig) -> None:
    """How far it is, and since when it stands, without any sink."""
    rows = [row.split(" | ") for row in answer.splitlines()]
    assert sum(int(row[2]) for row in rows if row[0] == rig.topic) == 600
    assert all(row[3].startswith("0:00:") for row in rows)


def assert_falls_to_0(rig: SinkRig, url: str, count: int) -> None:
    rig.wait_until_done(count)
    eventually(lambda: lag(url) == 0)
    eventually(lambda: samples(url)["sink_oldest_unwritten_seconds",] == 0)
    rig.assert_accounted()
