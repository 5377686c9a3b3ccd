"""Postgres is away for an hour of probe periods: the sink holds still, and is back within one of them."""

import json
import random
from collections.abc import Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any

import psutil
import pytest
from confluent_kafka.admin import AdminClient

from config.embedded.services import EmbeddedServices
from tests.events import made
from tests.eventually import eventually
from tests.faults.sink.test_postgres_gone import parked_letters
from tests.groups import members
from tests.integration.test_sink_metrics import base_url, get, samples
from tests.sink_rig import PATIENT_SESSION, SinkRig

pytestmark = [pytest.mark.integration, pytest.mark.faults]

PERIOD_S = 0.2
PERIODS = 60
"""An hour, where BREAKER__RESET_S is a minute."""
CONNECTION_S = 0.4
MOST_PROBES = int(1 + 2.2 / (PERIOD_S + CONNECTION_S))
"""One is under way when Postgres is back, and the pool's attempts are 2.2 s apart at most (decision 18)."""
MOST_GROWTH_BYTES = 20_000_000
NIGHT = bytes(random.Random(1).choices((0, 1, 2, 3), k=16_000))


def assert_one_probe_a_period(changes: Sequence[dict[str, Any]]) -> None:
    """Open, half-open, open and so on; a period between, or nearly by the clock of the log."""
    told = [change["to"] for change in changes]
    assert told[:-1] == ["open", "half-open"] * (len(told) // 2)
    assert told[-1] == "closed"
    for opened, probed in pairwise(changes):
        if probed["to"] == "half-open":
            waited = datetime.fromisoformat(probed["timestamp"]) - datetime.fromisoformat(opened["timestamp"])
            assert waited.total_seconds() > PERIOD_S / 2


@pytest.mark.timeout(180)
def test_memory_membership_and_probes_stay_as_they_are_and_it_comes_back_at_once(
    rig: SinkRig, postgres: EmbeddedServices, admin: AdminClient
) -> None:
    """Method: stop Postgres, fill the log with 40 MB, wait for 60 probes, nothing coming, start it again."""
    log = [made(session=f"s-{n}", user=f"u-{n % 50}", stages=NIGHT) for n in range(2_800)]
    rig.publish(log[:200])
    sink = rig.start(
        BREAKER__RESET_S=str(PERIOD_S),
        DB__POOL_TIMEOUT_S=str(CONNECTION_S),
        KAFKA__OPTIONS=PATIENT_SESSION,
    )
    rig.wait_until_done(200)
    url = base_url(rig, sink)
    process = psutil.Process(sink.pid)
    before = members(admin, rig.topic)

    def lag(url: str) -> float:
        return sum(value for name, value in samples(url).items() if name[0] == "sink_lag_records")

    def probes() -> float:
        return samples(url).get(("breaker_transitions_total", "half-open", "postgres"), 0.0)

    postgres.stop("postgres")
    rig.publish(log[200:300])
    eventually(lambda: probes() >= 5)  # warm: the circuit has opened, and batches are given up
    rss_bytes = process.memory_info().rss
    rig.publish(log[300:])
    eventually(lambda: probes() >= PERIODS, within_s=90)
    eventually(lambda: lag(url) == len(log) - 200)  # also of what came while partitions were paused
    assert process.memory_info().rss - rss_bytes < MOST_GROWTH_BYTES
    assert samples(url)["breaker_state", "postgres"] in {1, 2}
    status, body = get(f"{url}/readyz")
    told = json.loads(body)["dependencies"]["postgres"]
    assert (status, told["up"]) == (200, False)
    assert told["circuit"] in {"open", "half-open"}
    assert get(f"{url}/livez")[0] == 200
    postgres.start("postgres")
    more = probes()
    rig.reconnect()
    rig.wait_until_done(len(log))
    assert probes() - more <= MOST_PROBES
    assert_one_probe_a_period(rig.told(sink, "breaker_changed"))
    assert members(admin, rig.topic) == before
    assert len(rig.told(sink, "partitions_assigned", topic=rig.topic)) == 1
    assert parked_letters(admin, rig) == 0
    rig.assert_as_expected(log)
