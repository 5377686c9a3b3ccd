"""Brokers are known by whether they answer, not by their connections."""

from typing import Any

import pytest

from config.brokers import trouble

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
