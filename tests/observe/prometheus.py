"""A real Prometheus with the repository's rules, on free ports, scraping every second."""

import os
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from math import isnan
from pathlib import Path
from typing import Any

import httpx
import yaml

from tests.docs.source_tree import ROOT
from tests.eventually import eventually
from tests.ports import free_port

CONFIGURATION = ROOT / "config" / "prometheus"
RATE_INTERVAL = "30s"


class Prometheus:
    """One running server, asked over HTTP."""

    def __init__(self, port: int) -> None:
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{port}/api/v1", timeout=20, trust_env=False)

    def is_ready(self) -> bool:
        try:
            return self._client.get("/status/runtimeinfo").is_success
        except httpx.TransportError:
            return False

    def values(self, query: str) -> list[float]:
        """What a query finds now, without what is no number.

        Grafana's variables stand for everything.
        """
        plain = (
            query.replace("$__rate_interval", RATE_INTERVAL).replace("$job", ".*").replace("$instance", ".*")
        )
        answer = self._client.get("/query", params={"query": plain})
        assert answer.is_success, f"{plain}: {answer.text}"
        found = [float(series["value"][1]) for series in answer.json()["data"]["result"]]
        return [value for value in found if not isnan(value)]

    def alerts(self) -> dict[str, str]:
        """The alerts that are pending or firing, with that state."""
        told: list[dict[str, Any]] = self._client.get("/alerts").json()["data"]["alerts"]
        return {alert["labels"]["alertname"]: alert["state"] for alert in told}


@contextmanager
def prometheus(directory: Path, targets: Mapping[str, str]) -> Iterator[Prometheus]:
    """Run one, ended at the end.

    Args:
        directory: For its configuration, data and log.
        targets: The `host:port` of each job's sidecar.
    """
    told = yaml.safe_load((CONFIGURATION / "prometheus.yml").read_text("utf-8"))
    told["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    told["rule_files"] = [str(CONFIGURATION / pattern) for pattern in told["rule_files"]]
    told["scrape_configs"] = [
        {"job_name": job["job_name"], "static_configs": [{"targets": [targets[job["job_name"]]]}]}
        for job in told["scrape_configs"]
        if job["job_name"] in targets
    ]
    (directory / "prometheus.yml").write_text(yaml.safe_dump(told), "utf-8")
    port = free_port()
    program = shutil.which("prometheus")
    assert program is not None
    with (directory / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={directory / 'prometheus.yml'}",
                f"--storage.tsdb.path={directory / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
            env=os.environ | {"GOMAXPROCS": "1"},
        )
    try:
        server = Prometheus(port)
        eventually(lambda: process.poll() is not None or server.is_ready(), within_s=60)
        assert process.poll() is None, (directory / "prometheus.log").read_text("utf-8")
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
