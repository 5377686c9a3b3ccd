"""Rules and dashboards, compared with the metrics that there are, in both directions."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.dashboards.__main__ import DIRECTORY, written
from tests.docs.source_tree import ROOT
from tests.docs.tables import declared
from tests.observe.rules import shortened

RULES = sorted((ROOT / "config/prometheus/rules").glob("*.yml"))
RULE_TESTS = sorted((ROOT / "tests/prometheus").glob("*.yml"))
TIME = re.compile(r"(?<=\[)\d+[a-z]+(?=\])|(?<=offset )\d+[a-z]+|(?<=> )\d+(?=\s*$)|(?<==~\")\d+(?=\()")
TRIED = ROOT / "docs/operations/alerts-tried.md"
DASHBOARDS: dict[str, dict[str, Any]] = {
    path.stem: json.loads(path.read_text("utf-8")) for path in sorted(DIRECTORY.glob("*.json"))
}
NAME = re.compile(r"(?<![\w:$.\"'{=~|])([a-z][a-z0-9]*(?:[_:][a-z0-9_:]+)+|up)(?=[\s{\[)]|$)")
OF_PROMQL = {
    *("histogram_quantile", "clamp_min", "sum_over_time", "max_over_time", "label_values", "by"),
}
PROMETHEUS_OWN = {"up"}


def rules() -> Iterator[dict[str, Any]]:
    for path in RULES:
        for group in yaml.safe_load(path.read_text("utf-8"))["groups"]:
            yield from group["rules"]


def panels(dashboard: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Panels, also those inside of rows, without the rows."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel.get("panels", [])
        else:
            yield panel


def queries() -> list[str]:
    of_rules = [rule["expr"] for rule in rules()]
    of_panels = [
        target["expr"]
        for board in DASHBOARDS.values()
        for panel in panels(board)
        for target in panel["targets"]
    ]
    return of_rules + of_panels


def names(query: str) -> set[str]:
    """The metrics and recorded series that a query asks for."""
    bare = re.sub(r"\{[^}]*\}", "{}", query.replace("[$__rate_interval]", "[5m]"))
    bare = re.sub(r"\b(?:by|without)\s*\([^)]*\)", "", bare)
    return set(NAME.findall(bare)) - OF_PROMQL


def known() -> set[str]:
    found = set(PROMETHEUS_OWN)
    for name, (family, _) in declared().items():
        parts = ("_bucket", "_count", "_sum") if family.type == "histogram" else ("",)
        found |= {name + part for part in parts}
    return found | {rule["record"] for rule in rules() if "record" in rule}


def test_every_name_that_is_asked_for_exists() -> None:
    asked = {name for query in queries() for name in names(query)}
    assert len(asked) > 30
    assert asked - known() == set()


def test_every_metric_is_on_a_dashboard_or_in_a_rule() -> None:
    asked = {re.sub(r"_(bucket|count|sum)$", "", name) for query in queries() for name in names(query)}
    bare = {name for name in declared() if name not in asked}
    assert bare == set()


def test_every_label_that_is_asked_for_exists() -> None:
    """By metric, with what Prometheus adds: a misspelt label is a panel without data."""
    labels = {name: set(told) for name, (_, told) in declared().items()}
    wrong = []
    for query in queries():
        for name, inside in re.findall(r"([a-z_:0-9]+)\{([^}]*)\}", query):
            whole = re.sub(r"_(bucket|count|sum)$", "", name)
            allowed = labels.get(whole, labels.get(name, set())) | {"job", "instance", "le"}
            asked = set(re.findall(r"(\w+)\s*[=!]~?", re.sub(r'"[^"]*"', "", inside)))
            wrong += [f"{name}: {label}" for label in asked - allowed]
    assert wrong == []


def test_every_job_that_is_asked_for_is_scraped() -> None:
    """A rule about a job that nobody scrapes never fires, and promtool does not mind."""
    scraped = yaml.safe_load((ROOT / "config/prometheus/prometheus.yml").read_text("utf-8"))["scrape_configs"]
    told = re.findall(r'job=~?"([a-z|]+)"', " ".join(queries()))
    asked = {job for jobs in told for job in jobs.split("|")}
    assert asked == {job["job_name"] for job in scraped} - {"prometheus"}


def test_every_alert_says_how_urgent_it_is_and_where_to_look() -> None:
    alerts = [rule for rule in rules() if "alert" in rule]
    assert len(alerts) >= 15
    for alert in alerts:
        assert alert["labels"]["severity"] in {"page", "ticket"}, alert["alert"]
        assert alert["annotations"]["summary"], alert["alert"]
        path, _, anchor = alert["annotations"]["runbook"].partition("#")
        assert path.startswith("docs/operations/"), alert["alert"]
        sections = re.findall(r"^## (.*)$", (ROOT / path).read_text("utf-8"), re.MULTILINE)
        assert not anchor or anchor in {section.lower() for section in sections}, alert["alert"]


def test_every_alert_fires_in_a_test_and_stays_silent_in_another() -> None:
    fires: set[str] = set()
    silent: set[str] = set()
    for path in RULE_TESTS:
        for scene in yaml.safe_load(path.read_text("utf-8"))["tests"]:
            for case in scene["alert_rule_test"]:
                (fires if case["exp_alerts"] else silent).add(case["alertname"])
    alerts = {rule["alert"] for rule in rules() if "alert" in rule}
    assert (alerts - fires, alerts - silent) == (set(), set())


def test_every_alert_was_driven_to_firing_and_cleared_again() -> None:
    """Else: make observe ARGS=--keep."""
    rows = [line.split("|") for line in TRIED.read_text("utf-8").splitlines() if line.startswith("| ")]
    tried = {alert.strip(): (fired.strip(), cleared.strip()) for _, alert, _, fired, cleared, _ in rows[1:]}
    assert set(tried) == {rule["alert"] for rule in rules() if "alert" in rule}
    assert [alert for alert, times in tried.items() if not all(time.isdigit() for time in times)] == []


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_the_rules_that_are_tried_differ_in_nothing_but_times(path: Path) -> None:
    """A window, a pending time, an age: whoever adds one says in `tests.observe.rules` how short it is."""
    text = path.read_text("utf-8")
    long, short = yaml.safe_load(text), yaml.safe_load(shortened(text))
    assert long != short
    for told in (long, short):
        for group in told["groups"]:
            for rule in group["rules"]:
                rule["expr"] = TIME.sub("", rule["expr"])
                rule.pop("for", None)
    assert long == short


def test_the_dashboards_are_what_the_code_writes() -> None:
    """Else: .venv/bin/python -m tests.dashboards."""
    assert {path: path.read_text("utf-8") for path in DIRECTORY.glob("*")} == written()


@pytest.mark.parametrize("name", ["flow", "dead-letters", "processes"])
def test_every_panel_explains_itself(name: str) -> None:
    board = DASHBOARDS[name]
    assert {variable["name"] for variable in board["templating"]["list"]} == {"datasource", "job", "instance"}
    found = list(panels(board))
    assert len(found) > 7
    for panel in found:
        assert panel["description"].endswith("."), panel["title"]
        assert panel["datasource"]["uid"] == "$datasource", panel["title"]
        defaults = panel["fieldConfig"]["defaults"]
        assert defaults["unit"], panel["title"]
        assert defaults["thresholds"]["steps"], panel["title"]
        for target in panel["targets"]:
            narrowed = "$instance" in target["expr"] or "session_relay:" in target["expr"]
            assert narrowed, target["expr"]
    assert len({panel["title"] for panel in found}) == len(found)


def test_the_first_row_of_flow_tells_what_matters_first() -> None:
    first = DASHBOARDS["flow"]["panels"][1:7]
    assert [panel["title"] for panel in first][:5] == [
        "Oldest unwritten",
        "End to end, p95",
        "Acknowledged and stored",
        "Breaker",
        "Dead letters open",
    ]
    assert len({panel["gridPos"]["y"] for panel in first[:5]}) == 1


@pytest.mark.skipif(
    shutil.which("promtool") is None, reason="no promtool: `make observe` needs it, here it may be absent"
)
@pytest.mark.parametrize(
    "command",
    [
        ("check", "config", "config/prometheus/prometheus.yml"),
        ("test", "rules", *(str(path) for path in RULE_TESTS)),
    ],
    ids=["check", "test"],
)
def test_promtool_agrees(command: tuple[str, ...]) -> None:
    done = subprocess.run(["promtool", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
