"""`make containers`: the image and docker-compose.yml on a real engine, from build to the demo's verdict.

Not a part of `make test`, which needs no engine. Without one it ends with 4. Whatever it started is
removed again, volumes included; the images stay.
"""

import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from typing import Any, Final, Self

import httpx

from config.errors import ExitCode
from tests.docs.source_tree import ROOT
from tests.eventually import PATIENCE_S, eventually
from tests.ports import free_port

IMAGE: Final = "session-relay"
BASE: Final = "python:3.11-slim"
MOST_BYTES: Final = 200_000_000
"""What the image may have beyond its base."""
READY_WITHIN_S: Final = 3.0
STARTS: Final = 3
STEPS_WITHIN_S: Final = 600.0
SERVICES: Final = ("kafka", "postgres", "redis", "migrate", "topics", "relay", "sink", "prometheus")
"""All but Grafana, whose stand-in nobody has."""


class Failed(Exception):
    """A promise that did not hold."""


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def docker(*arguments: str) -> str:
    return run("docker", *arguments)


def run(*command: str, environment: dict[str, str] | None = None) -> str:
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=os.environ | (environment or {}),
        capture_output=True,
        text=True,
        timeout=STEPS_WITHIN_S,
        check=False,
    )
    if done.returncode:
        raise Failed(f"{' '.join(command)}: exit {done.returncode}\n{(done.stdout + done.stderr)[-4000:]}")
    return done.stdout


def check(claim: str, *, holds: bool, found: object) -> None:
    say(f"{'ok  ' if holds else 'FAIL'} {claim}: {found}")
    if not holds:
        raise Failed(claim)


def build() -> None:
    """The image is small, and whoever gets into it finds nothing to build or install with."""
    docker("build", "--network", "host", "--tag", IMAGE, ".")
    above = _size_bytes(IMAGE) - _size_bytes(BASE)
    check("the image's size above its base", holds=above < MOST_BYTES, found=f"{above / 1e6:.0f} MB")
    tools = docker("run", "--rm", "--entrypoint", "sh", IMAGE, "-c", "command -v pip gcc make curl || true")
    check("build tools in the image", holds=not tools.strip(), found=tools.split() or "none")


def _size_bytes(image: str) -> int:
    return int(docker("image", "inspect", image, "--format", "{{.Size}}"))


class Composed:
    """docker-compose.yml with a project, ports and secrets of this run alone; all is removed at the end."""

    def __init__(self) -> None:
        has_plugin = subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
        self._program = ["docker-compose"] if has_plugin.returncode else ["docker", "compose"]
        self.project = f"session-relay-{uuid.uuid4().hex[:8]}"
        self.ports = {name: str(free_port()) for name in ("RELAY_PORT", "PROMETHEUS_PORT", "GRAFANA_PORT")}
        example = (ROOT / ".env.example").read_text("utf-8").splitlines()
        names = [line.partition("=")[0] for line in example if line and not line.startswith("#")]
        self._secrets = {name: uuid.uuid4().hex for name in names}

    def __call__(self, *arguments: str) -> str:
        command = [*self._program, "--project-name", self.project, "--profile", "demo", *arguments]
        return run(*command, environment=self.ports | self._secrets)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self("down", "--volumes", "--timeout", "20")


def demo(compose: Composed) -> None:
    """Everything comes up, the demo's nights are all stored, and Prometheus reaches every process."""
    compose("up", "--detach", *SERVICES)
    said = compose("up", "--no-color", "demo")
    line = next(line for line in said.splitlines() if '"lost"' in line)
    verdict: dict[str, Any] = json.loads(line.partition("|")[2])
    check("events of the demo that are lost", holds=verdict["lost"] == 0 < verdict["stored"], found=verdict)
    url = f"http://127.0.0.1:{compose.ports['PROMETHEUS_PORT']}/api/v1/targets?state=active"
    wanted = {"relay": ["up"], "sink": ["up", "up"], "prometheus": ["up"]}
    eventually(lambda: _targets(url) == wanted, within_s=90)
    check("targets of Prometheus", holds=True, found=_targets(url))


def _targets(url: str) -> dict[str, list[str]]:
    """The health of what is scraped, by job."""
    health: dict[str, list[str]] = {}
    for target in (
        httpx.get(url, timeout=PATIENCE_S, trust_env=False).raise_for_status().json()["data"]["activeTargets"]
    ):
        health.setdefault(target["labels"]["job"], []).append(target["health"])
    return health


def hardened(network: str, user: str) -> None:
    """A relay whose root can't be written, run by any user, is ready soon and ends in order.

    The fastest of a few starts counts: the machine may be busy with the services that came up just now.
    """
    took_s = min(_started_and_ended(network, user) for _ in range(STARTS))
    check(f"seconds until ready as user {user}", holds=took_s < READY_WITHIN_S, found=f"{took_s:.1f}")


def _started_and_ended(network: str, user: str) -> float:
    port = free_port()
    settings = {"KAFKA__BOOTSTRAP_SERVERS": "kafka:9092", "ASLEEP_API_KEY": uuid.uuid4().hex}
    told = [part for name, value in settings.items() for part in ("--env", f"{name}={value}")]
    began_s = time.monotonic()
    relay = docker(
        *("run", "--detach", "--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL", "--user", user),
        *("--network", network, "--publish", f"127.0.0.1:{port}:8080", *told, IMAGE),
    ).strip()
    try:
        eventually(lambda: _answers(f"http://127.0.0.1:{port}/readyz"))
        took_s = time.monotonic() - began_s
        docker("exec", relay, "python", "-m", "config.healthcheck")
        docker("stop", "--time", "15", relay)
        ended = docker("inspect", relay, "--format", "{{.State.ExitCode}}").strip()
        check("exit status after SIGTERM", holds=ended == "0", found=ended)
    finally:
        docker("rm", "--force", "--volumes", relay)
    return took_s


def _answers(url: str) -> bool:
    try:
        return httpx.get(url, timeout=2, trust_env=False).is_success
    except httpx.TransportError:
        return False


def main() -> ExitCode:
    if shutil.which("docker") is None or not _engine_answers():
        say("No container engine answers: see CONTRIBUTING.md, how to have an engine.")
        return ExitCode.UNREACHABLE
    try:
        build()
        with Composed() as compose:
            demo(compose)
            hardened(f"{compose.project}_default", "12345:54321")
    except (Failed, AssertionError) as failure:
        say(f"{failure}")
        return ExitCode.FAILED
    return ExitCode.DONE


def _engine_answers() -> bool:
    return subprocess.run(["docker", "info"], capture_output=True, check=False).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
