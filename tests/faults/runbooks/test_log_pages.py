"""Pages on a log that lacks what it had: its beginning, or all of it."""

import re
import time
from pathlib import Path

import pytest
from confluent_kafka import OFFSET_END, TopicPartition
from confluent_kafka.admin import AdminClient

from schemas.event import SessionEvent
from tests.events import made
from tests.eventually import PATIENCE_S, eventually
from tests.faults.runbooks.pages import BACKFILLED, Runbook, lag, vendor_for_backfill
from tests.integration.test_sink_metrics import base_url, samples
from tests.operator_shell import Shell
from tests.own_places import PARTITIONS
from tests.sink_rig import QUICK_SESSION, SinkRig

pytestmark = [pytest.mark.integration, pytest.mark.faults, pytest.mark.timeout(150)]

LOOKS_OFTEN = QUICK_SESSION.replace("}", ', "topic.metadata.refresh.interval.ms": 500}')
"""At how many partitions there are; a sink looks every five minutes."""


def test_a_gap_in_the_log(rig: SinkRig, admin: AdminClient, tmp_path: Path) -> None:
    """gap-in-the-log.md: how much is missing and where; it is fetched again from the vendor."""
    page = Runbook("gap-in-the-log.md")
    rig.publish(made(session=f"s-{n}", user=f"u-{n}") for n in range(30))
    first = rig.start()
    rig.wait_until_done(30)
    first.terminate()
    first.wait(PATIENCE_S)
    rig.publish(made(session=f"t-{n}", user=f"u-{n}") for n in range(30))
    everywhere = [TopicPartition(rig.topic, part, OFFSET_END) for part in range(PARTITIONS)]
    for deleted in admin.delete_records(everywhere).values():
        deleted.result(PATIENCE_S)
    rig.publish(made(session=f"v-{n}", user=f"u-{n}") for n in range(30))
    sink = rig.start()
    url = base_url(rig, sink)
    eventually(lambda: samples(url)[page.metric("sink_gap_records_total"),] == 30)
    told = rig.told(sink, page.log("gap_in_log"), topic=rig.topic)
    missing = {line["partition"]: line["missing"] for line in told}
    with vendor_for_backfill(tmp_path) as vendor:
        shell = Shell(rig.environment(**vendor), tmp_path)
        rows = [row.split(" | ") for row in shell.run(page.command("psql")).splitlines()]
        assert {int(row[1]): int(row[2]) for row in rows if row[0] == rig.topic} == missing  # the cause
        shell.run(page.command("session-relay topics apply"))
        shell.run(page.command("session-relay backfill"))
    page.assert_followed()
    eventually(lambda: rig.sums()["written"] == 60 + BACKFILLED)
    eventually(lambda: lag(url) == 0)
    assert samples(url)["sink_gap_records_total",] == 30
    rig.assert_accounted()


def received(first: int, count: int) -> list[SessionEvent]:
    """Events that came just now."""
    now_us = time.time_ns() // 1_000
    return [made(session=f"s-{n}", user=f"u-{n}", received_at=now_us) for n in range(first, first + count)]


def test_the_topic_was_deleted_and_is_made_anew(rig: SinkRig, admin: AdminClient, tmp_path: Path) -> None:
    """log-cut-or-recreated.md: the plan tells that it is gone; what it held comes from the vendor."""
    page = Runbook("log-cut-or-recreated.md")
    before = received(0, 30)
    rig.publish(before)
    with vendor_for_backfill(tmp_path) as vendor:
        shell = Shell(rig.environment(**vendor), tmp_path)
        shell.run(f"session-relay dead-letters park {rig.topic} 0 0 --execute")
        sink = rig.start(SINK__TOPIC_CHECK_S="0.5", KAFKA__OPTIONS=LOOKS_OFTEN)
        url = base_url(rig, sink)
        rig.wait_until_done(30)
        newest = rig.query("SELECT max(received_at) FROM sessions")[0][0]
        for deleted in admin.delete_topics([rig.topic]).values():
            deleted.result(PATIENCE_S)
        first_sign = eventually(
            lambda: [*rig.told(sink, page.log("consumer_error")), *rig.told(sink, page.log("job_failed"))],
            within_s=30,
        )
        gone_at = min(line["timestamp"] for line in first_sign)
        plan = shell.run(page.command("session-relay topics apply"))
        assert re.search(rf"create +{rig.topic}: 12 partitions", plan)  # the cause
        assert "Done:" in shell.run(page.command("session-relay topics apply --execute"))
        rig.publish([*before, *received(30, 10)])
        rig.publish_bytes([(b"u-1", b"junk")])
        eventually(lambda: rig.query("SELECT count(*) FROM sessions") == [(40,)])
        ask = page.command("psql", {"2026-09-01T12:00:00Z": gone_at})
        assert shell.run(ask) == f"{newest}\n"  # and not of what came since
        shell.run(page.command("session-relay backfill"))
        eventually(lambda: rig.query("SELECT count(*) FROM sessions") == [(40 + BACKFILLED,)])
        assert "1 of 1 skip" in shell.run(page.command("session-relay dead-letters list"))
        eventually(lambda: rig.sums()["parked"] == 1)
        assert shell.run(page.command("psql")) == ""
    restarted = rig.told(sink, page.log("partition_restarted"), topic=rig.topic)
    assert {line["partition"] for line in restarted} == set(range(PARTITIONS))
    assert samples(url)[page.metric("sink_records_total"), "duplicate"] >= 29
    eventually(lambda: lag(url) == 0)
    page.assert_followed()
