"""How Kafka does, by librdkafka's statistics: a broker that is frozen stays connected for a minute.

Source: librdkafka, STATISTICS.md; `rxidle` is microseconds since the last byte came, `waitresp_cnt` how many
requests that wait for an answer.
"""

from collections.abc import Mapping
from typing import Any, Final

_MICROSECONDS: Final = 1_000_000
_ADDRESSED: Final = frozenset({"configured", "learned"})


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


def forgotten(statistics: Mapping[str, Any]) -> bool:
    """Whether the client knows no broker any more, not even those it was started with.

    An answer that names topics and no broker, as Kafka may give while it stops, makes librdkafka drop all of
    them, and it may never begin anew (its issue 5301, seen with 2.15.1). What is left is its handle
    for the group's coordinator, which has no address of its own.
    """
    return not any(broker["source"] in _ADDRESSED for broker in statistics["brokers"].values())


def _connected(statistics: Mapping[str, Any]) -> list[Any]:
    return [broker for broker in statistics["brokers"].values() if broker["state"] == "UP"]
