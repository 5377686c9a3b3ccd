"""The metrics that others build on: their names, kinds and labels, and that nothing open becomes a label."""

import re
import subprocess
import sys

import pytest
from prometheus_client import generate_latest
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.parser import text_string_to_metric_families

from config import metrics
from config.histogram import BatchHistogram
from consumers.outcome import Outcome, needs_a_person

LETTERS_AT_FIRST = "from config import metrics; print(metrics.REGISTRY.get_sample_value('dead_letters_open'))"
DECLARED = {
    name: metric
    for name, metric in vars(metrics).items()
    if isinstance(metric, MetricWrapperBase | BatchHistogram)
}
PROMISED = {
    "api_requests_total": ("counter", ("method", "endpoint", "status_code")),
    "api_request_duration_seconds": ("histogram", ("method", "endpoint")),
    "relay_events_total": ("counter", ("source", "type", "outcome")),
    "kafka_producer_up": ("gauge", ()),
    "kafka_producer_queue_messages": ("gauge", ()),
    "sink_records_total": ("counter", ("outcome",)),
    "sink_batch_seconds": ("histogram", ("stage",)),
    "sink_lag_records": ("gauge", ("topic", "partition")),
    "sink_gap_records_total": ("counter", ()),
    "sink_oldest_unwritten_seconds": ("gauge", ()),
    "event_age_seconds": ("histogram", ("stage",)),
    "breaker_state": ("gauge", ("name",)),
    "breaker_transitions_total": ("counter", ("name", "to")),
    "db_pool_size": ("gauge", ()),
    "db_pool_available": ("gauge", ()),
    "db_pool_in_use": ("gauge", ()),
    "db_pool_waiting": ("gauge", ()),
    "db_queries_total": ("counter", ()),
    "db_connection_errors_total": ("counter", ()),
    "app_uptime_seconds": ("gauge", ()),
    "build_info": ("gauge", ("version", "role")),
}


def told(metric: object) -> tuple[str, str, str, tuple[str, ...]]:
    """Exposed name, kind, help and label names of a declared metric."""
    if isinstance(metric, BatchHistogram):
        return metric.name, "histogram", metric.text, metric.labelnames
    assert isinstance(metric, MetricWrapperBase)
    suffix = "_total" if metric._type == "counter" else ""
    return metric._name + suffix, str(metric._type), metric._documentation, tuple(metric._labelnames)


def test_what_dashboards_build_on_is_there_as_promised() -> None:
    there = {name: (kind, labels) for name, kind, _, labels in map(told, DECLARED.values())}
    assert {name: there.get(name) for name in PROMISED} == PROMISED


@pytest.mark.parametrize("metric", DECLARED.values(), ids=DECLARED)
def test_a_metric_says_its_unit_and_what_it_means(metric: object) -> None:
    name, kind, text, labels = told(metric)
    assert re.fullmatch(r"[a-z]+(_[a-z]+)+", name)
    assert name.endswith("_total") is (kind == "counter")
    assert kind != "histogram" or name.endswith("_seconds")
    assert len(text) > 15
    assert text.endswith(".")
    assert not {"user_id", "session_id", "event_id", "path", "url", "error"} & set(labels)


def test_every_metric_is_in_the_one_registry_and_parses() -> None:
    text = generate_latest(metrics.REGISTRY).decode()
    names = [family.name for family in text_string_to_metric_families(text)]
    exposed = [name for name in names if not name.endswith("_created")]
    assert sorted(exposed) == sorted(told(metric)[0].removesuffix("_total") for metric in DECLARED.values())


def test_the_outcomes_are_the_same_closed_set_everywhere() -> None:
    assert tuple(outcome.value for outcome in Outcome) == metrics.OUTCOMES


def test_only_what_was_parked_needs_a_person() -> None:
    assert [outcome for outcome in Outcome if needs_a_person(outcome)] == [Outcome.PARKED]


def test_dead_letters_are_unknown_until_they_are_counted() -> None:
    """As 0 those that there were would be new half an hour later, and DeadLettersGrowing would tell."""
    told = subprocess.check_output([sys.executable, "-c", LETTERS_AT_FIRST], text=True, timeout=60)
    assert told == "nan\n"
