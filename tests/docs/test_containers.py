"""Dockerfile and docker-compose.yml, compared with the code that they speak of; no engine is needed."""

import fnmatch
import re
import tomllib
from typing import Any

import pytest
import yaml

from config.origins import FLAT
from config.sections import MetricsSettings
from config.settings import Settings
from tests.docs.source_tree import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "session-relay"}
REQUIRED = re.compile(r"\$\{(\w+):\?")
VARIABLE = re.compile(r"\$\{(\w+)(:?[-?][^}]*)?\}")
SECRET = re.compile(r"PASSWORD|KEY|SECRET|TOKEN")
NOT_SETTINGS = {"SIMULATE_ASLEEP_SIGNING_KEY", "SIMULATE_GENERIC_SIGNING_KEY"}
"""Options of `simulate`, whose own help has them."""


def is_setting(name: str) -> bool:
    nested = FLAT.get(name, name).lower().split("__")
    branch = Settings.model_fields.get(nested[0])
    if branch is None or len(nested) == 1:
        return branch is not None
    section: Any = branch.annotation
    return len(nested) == 2 and nested[1] in section.model_fields


def test_every_variable_of_our_services_is_a_setting() -> None:
    """Those of the image too: an unknown name would stop the role."""
    named = {name for service in OURS.values() for name in service["environment"]} - NOT_SETTINGS
    in_image = set(re.findall(r"^\s+(?:ENV )?([A-Z]+(?:__?[A-Z]+)+)=", DOCKERFILE, re.MULTILINE))
    in_image = {name for name in in_image if not name.startswith(("PYTHON", "PIP_"))}
    assert {"API_HOST", "METRICS__HOST", "RELAY__SPOOL_DIR"} <= in_image
    assert [name for name in sorted(named | in_image) if not is_setting(name)] == []
    assert not is_setting("SINK__BATCH_ROW")


def test_every_service_is_pinned_and_bounded() -> None:
    for name, service in SERVICES.items():
        assert service["image"] == "session-relay" or re.search(r":v?\d+\.?\d*", service["image"]), name
        assert service["mem_limit"], name
        assert service["logging"]["options"]["max-size"], name
        assert service["restart"], name
        listens = [str(port) for port in service.get("ports", [])]
        assert all(port.startswith("127.0.0.1:") for port in listens), name
    for name, service in OURS.items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert "no-new-privileges:true" in service["security_opt"], name


def test_a_service_starts_when_what_it_needs_can_be_used() -> None:
    """Healthy, or ended well; only Grafana bears a Prometheus that is not there yet."""
    for name, service in SERVICES.items():
        if name == "grafana":
            continue
        for needed, how in dict(service.get("depends_on", {})).items():
            one_shot = SERVICES[needed]["restart"] == "no"
            told = "service_completed_successfully" if one_shot else "service_healthy"
            assert how["condition"] == told, f"{name} needs {needed}"
            assert one_shot or needed in OURS or SERVICES[needed]["healthcheck"], needed


def test_the_example_has_every_secret_and_nothing_else_has_one() -> None:
    text = (ROOT / "docker-compose.yml").read_text("utf-8")
    example = dict(
        line.split("=", 1)
        for line in (ROOT / ".env.example").read_text("utf-8").splitlines()
        if line and not line.startswith("#")
    )
    assert set(REQUIRED.findall(text)) == set(example)
    asked = {match[1]: match[2] or "" for match in VARIABLE.finditer(text)}
    defaults = {name: how for name, how in asked.items() if how.startswith((":-", "-"))}
    assert [name for name in defaults if SECRET.search(name)] == []
    assert [value for value in example.values() if value and len(value) < 16] == []
    assert not any(value in text + DOCKERFILE for value in example.values())


def test_every_port_of_a_sidecar_is_exposed_and_scraped() -> None:
    exposed = {int(port) for port in re.findall(r"^EXPOSE (.*)$", DOCKERFILE, re.MULTILINE)[0].split()}
    fields = {name: field.default for name, field in MetricsSettings.model_fields.items()}
    roles = {name.removesuffix("_port"): port for name, port in fields.items() if name.endswith("_port")}
    assert exposed == {8080, *roles.values()}
    scrapes = yaml.safe_load((ROOT / "config/prometheus/prometheus.yml").read_text("utf-8"))["scrape_configs"]
    found = {job["job_name"]: job["dns_sd_configs"][0] for job in scrapes if "dns_sd_configs" in job}
    assert {role: told["port"] for role, told in found.items()} == roles


def test_the_image_is_built_of_what_is_installed_and_nothing_else() -> None:
    """`.dockerignore` begins by leaving all out: it must let every room in, and no test and no secret."""
    patterns = [
        line
        for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines()
        if line and not line.startswith("#")
    ]
    assert patterns[0] == "*"
    let_in = {line[1:] for line in patterns if line.startswith("!")}
    packages = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["packages"]
    assert {name.partition(".")[0] for name in packages} <= let_in
    assert "requirements-image.txt" in let_in
    assert not any(fnmatch.fnmatch(".env", name) or name in {"tests", ".git"} for name in let_in)


@pytest.mark.parametrize("stage", DOCKERFILE.split("\nFROM ")[1:])
def test_the_image_is_made_of_the_named_base(stage: str) -> None:
    assert stage.startswith("${PYTHON}")


def test_the_image_runs_as_nobody_in_particular() -> None:
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", last, re.MULTILINE)
    assert "HEALTHCHECK" in last
    assert "--require-hashes" in DOCKERFILE
    assert "embedded" not in DOCKERFILE
