"""What a sink tells about itself on its sidecar, driven to known values."""

import json
import re
import subprocess

import httpx
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.events import made
from tests.eventually import PATIENCE_S, eventually
from tests.sink_rig import OUTCOMES, SinkRig

pytestmark = pytest.mark.integration


def base_url(rig: SinkRig, sink: subprocess.Popen[bytes]) -> str:
    """Where its sidecar listens: port 0 was asked for, so the log tells."""
    found = eventually(lambda: re.search(r'"port": (\d+), "event": "sidecar_started"', rig.log_of(sink)))
    assert found is not None
    return f"http://127.0.0.1:{found[1]}"


def get(url: str) -> tuple[int, str]:
    answer = httpx.get(url, timeout=PATIENCE_S)
    return answer.status_code, answer.text


def samples(url: str) -> dict[tuple[str, ...], float]:
    """Values by name and label values."""
    families = text_string_to_metric_families(get(f"{url}/metrics")[1])
    return {(s.name, *sorted(s.labels.values())): s.value for family in families for s in family.samples}


def test_records_lag_pool_ages_and_health_are_told_as_they_are(rig: SinkRig) -> None:
    sink = rig.start()
    log = [made(session=f"s-{n}") for n in range(30)]
    rig.publish([*log, log[0], log[0]])
    rig.publish_bytes([(b"u-1", b"junk")])
    rig.wait_until_done(33)
    url = base_url(rig, sink)
    committed = "event_age_seconds_count", "committed"

    def counted() -> float:
        told = samples(url)
        return sum(told.get(("sink_records_total", name), 0) for name in OUTCOMES)

    eventually(lambda: counted() >= 33)  # after what the table tells
    told = samples(url)
    assert told["sink_records_total", "written"] == 30
    assert told["sink_records_total", "duplicate"] == 2
    assert told["sink_records_total", "parked"] == 1
    assert told[committed] == 32
    assert told["breaker_state", "postgres"] == 0
    assert told["db_queries_total",] >= 1
    partition = str(rig.query("SELECT partition FROM consumer_offsets ORDER BY next_offset DESC")[0][0])
    eventually(lambda: samples(url).get(("sink_lag_records", *sorted([rig.topic, partition]))) == 0)
    eventually(lambda: samples(url)["dead_letters_open",] == 1)
    eventually(lambda: samples(url)["db_pool_size",] >= 1)
    eventually(lambda: samples(url)["sink_oldest_unwritten_seconds",] == 0)
    assert samples(url)["app_uptime_seconds",] > 0
    eventually(lambda: get(f"{url}/readyz")[0] == 200)
    body = json.loads(get(f"{url}/health")[1])
    assert body["dependencies"]["kafka"]["up"]
    assert body["dependencies"]["postgres"]["up"]
    assert get(f"{url}/livez")[0] == 200
    assert get(f"{url}/elsewhere")[0] == 404


def test_attempts_on_postgres_and_those_that_failed_are_counted(rig: SinkRig) -> None:
    """Method: the table is locked for longer than a write waits, twice, which opens the circuit for good."""
    rig.publish([made(session="s-1")])
    sink = rig.start(DB__LOCK_TIMEOUT_S="0.3", BREAKER__FAILURES="2", BREAKER__RESET_S="600")
    rig.wait_until_done(1)
    url = base_url(rig, sink)
    told = samples(url)
    assert (told["db_queries_total",], told["db_connection_errors_total",]) == (1, 0)
    with psycopg.connect(rig.database_url) as holder:
        holder.execute("LOCK TABLE sessions IN EXCLUSIVE MODE")
        rig.publish([made(session="s-2")])
        eventually(lambda: samples(url)["breaker_state", "postgres"] == 2)
    told = samples(url)
    assert (told["db_queries_total",], told["db_connection_errors_total",]) == (3, 2)
    assert told["breaker_transitions_total", *sorted(["postgres", "open"])] == 1
