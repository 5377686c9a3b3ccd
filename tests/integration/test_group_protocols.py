"""A protocol of groups that the brokers do not serve is a wrong setting, not a wait without an end."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from config.errors import ExitCode
from tests.own_broker import cached_jars, own_broker

pytestmark = pytest.mark.integration


def test_a_sink_refuses_a_protocol_that_no_broker_serves(database_url: str, tmp_path: Path) -> None:
    """Librdkafka 2.15.1 asks such brokers without end and says nothing."""
    with own_broker(tmp_path, cached_jars(), group_coordinator_rebalance_protocols="classic") as broker:
        sink = subprocess.run(
            [sys.executable, "-m", "session_relay.cli", "sink"],
            env=os.environ
            | {
                "DATABASE_URL": database_url,
                "KAFKA__BOOTSTRAP_SERVERS": broker.bootstrap_servers,
                "KAFKA__GROUP_PROTOCOL": "consumer",
                "METRICS__SINK_PORT": "0",
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert sink.returncode == ExitCode.USAGE
    assert "KAFKA__GROUP_PROTOCOL is consumer, but the brokers serve classic only" in sink.stderr
