"""The batch histogram tells what prometheus-client's own would, observation by observation."""

import math
from threading import Thread

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Histogram
from prometheus_client import generate_latest as exposed
from prometheus_client.parser import text_string_to_metric_families

from config.histogram import BatchHistogram

BUCKETS = (0.005, 0.1, 1, 60, 3_600, 86_400)
STAGES = ("read", "committed")
AGES = st.floats(0, 1e6) | st.sampled_from(BUCKETS)


def made(registry: CollectorRegistry) -> BatchHistogram:
    return BatchHistogram(
        "age_seconds",
        "Ages.",
        ("stage",),
        buckets=BUCKETS,
        registry=registry,
        shown=[(stage,) for stage in STAGES],
    )


def samples(registry: CollectorRegistry) -> dict[tuple[str, str, float], float]:
    """By name, stage and bound: what a scrape of the registry says."""
    family = next(iter(text_string_to_metric_families(exposed(registry).decode())))
    assert (family.name, family.type, family.documentation) == ("age_seconds", "histogram", "Ages.")
    return {
        (sample.name, sample.labels["stage"], float(sample.labels.get("le", "nan"))): sample.value
        for sample in family.samples
    }


def by_key(told: dict[tuple[str, str, float], float]) -> dict[str, float]:
    """The same with keys that compare, since nan does not."""
    return {f"{name} {stage} {bound}": value for (name, stage, bound), value in told.items()}


@given(batches=st.lists(st.tuples(st.sampled_from(STAGES), st.lists(AGES, max_size=20)), max_size=8))
def test_it_equals_the_ordinary_histogram(batches: list[tuple[str, list[float]]]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    batched = made(ours)
    plain = Histogram("age_seconds", "Ages.", ["stage"], buckets=BUCKETS, registry=theirs)
    for stage in STAGES:
        plain.labels(stage)  # ours shows every stage from the start
    for stage, ages in batches:
        batched.labels(stage).observe(iter(ages[1:]))
        for age in ages[:1]:
            batched.labels(stage).note(age)
        for age in ages:
            plain.labels(stage).observe(age)
    assert by_key(samples(ours)) == pytest.approx(by_key(samples(theirs)))


def test_a_stage_without_observations_is_there_with_zeros() -> None:
    registry = CollectorRegistry()
    made(registry)
    told = samples(registry)
    assert set(told.values()) == {0.0}
    assert {bound for _, _, bound in told if not math.isnan(bound)} == {*BUCKETS, math.inf}


def test_a_clock_that_runs_ahead_counts_as_no_age() -> None:
    registry = CollectorRegistry()
    made(registry).labels("read").observe([-3.0, -0.001, 2.0])
    told = by_key(samples(registry))
    assert told["age_seconds_bucket read 0.005"] == 2
    assert told["age_seconds_count read nan"] == 3
    assert told["age_seconds_sum read nan"] == 2.0


def test_labels_are_as_many_as_were_declared() -> None:
    with pytest.raises(ValueError, match="age_seconds"):
        made(CollectorRegistry()).labels("read", "twice")


def test_what_was_noted_is_there_when_somebody_looks() -> None:
    registry = CollectorRegistry()
    histogram = made(registry)
    for _ in range(1_000):
        histogram.labels("read").note(2.0)
    told = by_key(samples(registry))
    assert told["age_seconds_count read nan"] == 1_000
    assert told["age_seconds_sum read nan"] == 2_000.0


def test_a_scrape_between_two_threads_sees_whole_batches() -> None:
    registry = CollectorRegistry()
    histogram = made(registry)

    def writes() -> None:
        for _ in range(200):
            histogram.labels("read").observe([1.0] * 10)

    writers = [Thread(target=writes) for _ in range(2)]
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        told = by_key(samples(registry))
        assert told["age_seconds_count read nan"] == told["age_seconds_sum read nan"]
        assert told["age_seconds_count read nan"] % 10 == 0
    assert by_key(samples(registry))["age_seconds_count read nan"] == 4_000
