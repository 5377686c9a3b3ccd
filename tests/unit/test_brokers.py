"""Brokers are known by whether they answer, not by their connections."""

import json
from typing import Any

import pytest

from config.brokers import Watch, trouble

IDLE: dict[str, Any] = {"state": "UP", "waitresp_cnt": 0, "rxidle": 300_000_000}
ASKED = {"state": "UP", "waitresp_cnt": 1, "rxidle": 1_900_000}
SILENT = {"state": "UP", "waitresp_cnt": 1, "rxidle": 2_100_000}
NEVER_HEARD = {"state": "UP", "waitresp_cnt": 1, "rxidle": -1}
GONE = {"state": "DOWN", "waitresp_cnt": 0, "rxidle": 10}


@pytest.mark.parametrize(
    ("brokers", "problem"),
    [
        ([], "no broker is connected"),
        ([GONE, GONE], "no broker is connected"),
        ([SILENT, GONE], "no broker answers"),
        ([SILENT, SILENT], "no broker answers"),
        ([IDLE, SILENT], None),
        ([ASKED], None),
        ([NEVER_HEARD], None),
        ([IDLE, GONE], None),
    ],
)
def test_one_that_answers_or_was_asked_nothing_is_enough(
    brokers: list[dict[str, Any]], problem: str | None
) -> None:
    told = {"brokers": {str(number): broker for number, broker in enumerate(brokers)}}
    assert trouble(told, silent_s=2) == problem


NOBODY: dict[str, Any] = {"GroupCoordinator": {"source": "logical", "state": "INIT"}}
SETTINGS = {"a:1/bootstrap": {"source": "configured", "state": "INIT"}}
LEARNED = {"a:1/1": {"source": "learned", "state": "DOWN"}}


@pytest.mark.parametrize(
    ("told", "stranded"),
    [
        ([NOBODY] * 2, False),
        ([NOBODY] * 3, True),
        ([{}] * 3, True),
        ([NOBODY, NOBODY, SETTINGS, NOBODY, NOBODY], False),
        ([LEARNED] * 9, False),  # that it is down is no reason
        ([SETTINGS] * 9, False),
    ],
)
def test_who_knows_no_broker_three_times_in_a_row_is_stranded(
    told: list[dict[str, Any]], stranded: bool
) -> None:
    heard: list[Any] = []
    watch = Watch(heard.append)
    for brokers in told:
        watch(json.dumps({"brokers": brokers}))
    assert watch.is_stranded == stranded
    watch.end()
    watch(json.dumps({"brokers": SETTINGS}))
    assert heard == [{"brokers": brokers} for brokers in told]
