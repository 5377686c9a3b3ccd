"""A producer that knows no broker any more is replaced; whoever loses them for a moment is not."""

from collections.abc import Mapping
from typing import Any

import pytest

from producers.succession import Succession

NOBODY: Mapping[str, Any] = {"brokers": {"GroupCoordinator": {"source": "logical", "state": "INIT"}}}
EMPTY: Mapping[str, Any] = {"brokers": {}}
SETTINGS: Mapping[str, Any] = {"brokers": {"a:1/bootstrap": {"source": "configured", "state": "INIT"}}}
LEARNED: Mapping[str, Any] = {"brokers": {"a:1/1": {"source": "learned", "state": "DOWN"}}}


@pytest.mark.parametrize(
    ("told", "renewed"),
    [
        ([NOBODY] * 3, True),
        ([EMPTY] * 3, True),
        ([NOBODY, NOBODY, SETTINGS, NOBODY, NOBODY], False),
        ([LEARNED] * 9, False),  # that it is down is no reason
        ([SETTINGS] * 9, False),
    ],
)
def test_three_times_in_a_row_is_enough(told: list[Mapping[str, Any]], renewed: bool) -> None:
    heard: list[Mapping[str, Any]] = []
    producers = Succession({"bootstrap.servers": "127.0.0.1:9", "log_level": 0}, heard.append)
    first = producers.current
    for statistics in told:
        producers._hear(statistics)
    assert (producers.current is not first) == renewed
    assert heard == told


def test_what_a_former_one_holds_is_counted_until_it_is_gone() -> None:
    producers = Succession({"bootstrap.servers": "127.0.0.1:9", "log_level": 0}, lambda _: None)
    producers.current.produce("topic", b"value")
    producers.renew()
    producers.current.produce("topic", b"value")
    assert producers.held() >= 2
    assert producers.close(0) >= 2
