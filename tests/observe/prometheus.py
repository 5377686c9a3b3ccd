"""A real Prometheus with rules on short times, on a free port, scraping every second."""

import json
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
from tests.eventually import PATIENCE_S, eventually
from tests.observe.rules import shortened
from tests.ports import free_port

CONFIGURATION = ROOT / "config" / "prometheus"
RATE_INTERVAL = "30s"


class Prometheus:
    """One running server, asked over HTTP."""

    def __init__(self, port: int, directory: Path) -> None:
        self._client = httpx.Client(
            base_url=f"http://127.0.0.1:{port}/api/v1", timeout=PATIENCE_S, trust_env=False
        )
        self._directory = directory

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

    def firing(self) -> set[str]:
        """The alerts that fire now, those that are only pending left out."""
        told: list[dict[str, Any]] = self._client.get("/alerts").json()["data"]["alerts"]
        return {alert["labels"]["alertname"] for alert in told if alert["state"] == "firing"}

    def scraped(self, job: str) -> set[str]:
        """Names of all series of a job so far, without those that Prometheus adds."""
        chosen = {"match[]": f'{{job="{job}"}}'}
        told = self._client.get("/label/__name__/values", params=chosen).json()["data"]
        return {name for name in told if name != "up" and not name.startswith(("scrape_", "ALERTS"))}

    def target(self, job: str, address: str | None) -> None:
        """Say where a job's sidecar is from now on; None: nowhere. Prometheus watches the file."""
        path = self._directory / f"{job}.targets.json"
        changed = path.with_suffix(".new")
        changed.write_text(json.dumps([] if address is None else [{"targets": [address]}]), "utf-8")
        changed.rename(path)


def configured(directory: Path) -> Path:
    """Write the repository's configuration with short times and targets by file; returns its path."""
    told = yaml.safe_load((CONFIGURATION / "prometheus.yml").read_text("utf-8"))
    told["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    for source in sorted((CONFIGURATION / "rules").glob("*.yml")):
        (directory / source.name).write_text(shortened(source.read_text("utf-8")), "utf-8")
    told["rule_files"] = [str(directory / path.name) for path in (CONFIGURATION / "rules").glob("*.yml")]
    told["scrape_configs"] = [
        {
            "job_name": job["job_name"],
            "file_sd_configs": [{"files": [str(directory / f"{job['job_name']}.targets.json")]}],
        }
        for job in told["scrape_configs"]
        if job["job_name"] != "prometheus"
    ]
    path = directory / "prometheus.yml"
    path.write_text(yaml.safe_dump(told), "utf-8")
    return path


@contextmanager
def prometheus(directory: Path, targets: Mapping[str, str]) -> Iterator[Prometheus]:
    """Run one, ended at the end.

    Args:
        directory: For its configuration, data and log.
        targets: The `host:port` of each job's sidecar.
    """
    configuration = configured(directory)
    port = free_port()
    server = Prometheus(port, directory)
    for job, address in targets.items():
        server.target(job, address)
    program = shutil.which("prometheus")
    assert program is not None
    with (directory / "prometheus.log").open("wb") as log:
        process = subprocess.Popen(
            [
                program,
                f"--config.file={configuration}",
                f"--storage.tsdb.path={directory / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stdout=log,
            stderr=log,
            env=os.environ | {"GOMAXPROCS": "1"},
        )
    try:
        eventually(lambda: process.poll() is not None or server.is_ready())
        assert process.poll() is None, (directory / "prometheus.log").read_text("utf-8")
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)
