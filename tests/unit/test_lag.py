"""Lag is what the log holds beyond the table, for the partitions that are this member's."""

from collections.abc import Collection, Mapping
from typing import Any

from config import metrics
from consumers.lag import Lag


def statistics(topic: str, ends: Mapping[int, int]) -> dict[str, Any]:
    """The part of librdkafka's statistics that is read; it has an internal partition -1 as well."""
    partitions = {str(number): {"hi_offset": end} for number, end in {-1: -1001, **ends}.items()}
    return {"topics": {topic: {"partitions": partitions}}}


def shown(topic: str) -> dict[str, float]:
    """The gauge's samples for this topic, by partition."""
    [family] = metrics.SINK_LAG.collect()
    return {one.labels["partition"]: one.value for one in family.samples if one.labels.get("topic") == topic}


def test_lag_is_the_logs_end_less_what_is_committed() -> None:
    lag = Lag("lag-1", {0: 7, 1: 100})
    lag.read(statistics("lag-1", {0: 10, 1: 100, 2: 55}))
    lag.sample()
    assert shown("lag-1") == {"0": 3, "1": 0}


def test_an_end_that_is_not_known_yet_shows_nothing() -> None:
    lag = Lag("lag-2", {0: 7, 1: 7})
    lag.sample()
    assert shown("lag-2") == {}
    lag.read(statistics("lag-2", {0: -1001}))
    lag.sample()
    assert shown("lag-2") == {}
    lag.read({"topics": {}})
    lag.sample()
    assert shown("lag-2") == {}


def test_what_was_committed_since_the_last_statistics_is_no_negative_lag() -> None:
    lag = Lag("lag-3", {0: 12})
    lag.read(statistics("lag-3", {0: 10}))
    lag.sample()
    assert shown("lag-3") == {"0": 0}


def test_a_partition_that_was_given_up_vanishes_and_comes_back_with_it() -> None:
    """Two members that both show a partition would count its lag twice."""
    committed = {0: 1, 1: 1}
    lag = Lag("lag-4", committed)
    lag.read(statistics("lag-4", {0: 5, 1: 6}))
    lag.sample()
    assert shown("lag-4") == {"0": 4, "1": 5}
    del committed[1]
    lag.sample()
    lag.sample()
    assert shown("lag-4") == {"0": 4}
    committed[1] = 3
    lag.sample()
    assert shown("lag-4") == {"0": 4, "1": 3}


def test_what_kafka_says_now_wins_over_what_was_fetched_and_silence_changes_nothing() -> None:
    """The ends of paused partitions stand still in the statistics."""
    answers: list[dict[int, int]] = [{0: 5_000}, {}, {0: 50}]
    asked: list[tuple[int, ...]] = []

    def ask(partitions: Collection[int]) -> dict[int, int]:
        asked.append(tuple(partitions))
        return answers.pop(0)

    committed: dict[int, int] = {}
    lag = Lag("lag-5", committed, ask)
    lag.sample()
    assert asked == []
    committed.update({0: 10, 1: 10})
    lag.read(statistics("lag-5", {0: 100, 1: 12}))
    lag.sample()
    assert shown("lag-5") == {"0": 4_990, "1": 2}
    lag.sample()
    assert shown("lag-5") == {"0": 4_990, "1": 2}
    lag.sample()  # the log was cut
    assert shown("lag-5") == {"0": 40, "1": 2}
    assert asked == [(0, 1)] * 3
