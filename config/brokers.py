"""How Kafka does, by librdkafka's statistics: a broker that is frozen stays connected for a minute.

Source: librdkafka, STATISTICS.md; `rxidle` is microseconds since the last byte came, `waitresp_cnt` how many
requests that wait for an answer.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any, Final

_MICROSECONDS: Final = 1_000_000
_ADDRESSED: Final = frozenset({"configured", "learned"})
_FORGOTTEN_TIMES: Final = 3
"""Statistics in a row that tell of no broker: while librdkafka changes those it knows, one may."""


def connected(statistics: Mapping[str, Any]) -> bool:
    """Whether any broker is."""
    return bool(_connected(statistics))


def trouble(statistics: Mapping[str, Any], silent_s: float) -> str | None:
    """Say what is wrong with all brokers; None while at least one is connected and leaves nobody waiting.

    Args:
        statistics: What librdkafka tells.
        silent_s: Seconds for which a broker that was asked something may say nothing.
    """
    brokers = _connected(statistics)
    if not brokers:
        return "no broker is connected"
    if all(one["waitresp_cnt"] > 0 and one["rxidle"] > silent_s * _MICROSECONDS for one in brokers):
        return "no broker answers"
    return None


class Watch:
    """The `stats_cb` of one client, which sees whether it still knows any broker.

    An answer that names topics and no broker, as Kafka may give while it stops, makes librdkafka drop all of
    them, also those that it was started with, and it may never begin anew (its issue 5301, seen with
    2.15.1). What is left is its handle for the group's coordinator, which has no address of its own.

    Args:
        on_statistics: Told what the client tells of itself, until the watch has ended.
    """

    def __init__(self, on_statistics: Callable[[Mapping[str, Any]], None]) -> None:
        self._on_statistics = on_statistics
        self._forgotten = 0
        self._ended = False

    def __call__(self, text: str) -> None:
        """Hear statistics as librdkafka words them."""
        if self._ended:
            return
        statistics = json.loads(text)
        known = any(broker["source"] in _ADDRESSED for broker in statistics["brokers"].values())
        self._forgotten = 0 if known else self._forgotten + 1
        self._on_statistics(statistics)

    @property
    def is_stranded(self) -> bool:
        """Whether the client knows nobody any more whom it could ask."""
        return self._forgotten >= _FORGOTTEN_TIMES

    def end(self) -> None:
        """Hear no more: another client has taken the place of this one, which may still tell of itself."""
        self._ended = True


def _connected(statistics: Mapping[str, Any]) -> list[Any]:
    return [broker for broker in statistics["brokers"].values() if broker["state"] == "UP"]
