"""Whether Kafka answers, by librdkafka's statistics: a broker that is frozen stays connected for a minute.

Source: librdkafka, STATISTICS.md; `rxidle` is microseconds since the last byte came, `waitresp_cnt` how many
requests that wait for an answer.
"""

from collections.abc import Mapping
from typing import Any, Final

_MICROSECONDS: Final = 1_000_000


def trouble(statistics: Mapping[str, Any], silent_s: float) -> str | None:
    """Say what is wrong with all brokers; None while at least one is connected and leaves nobody waiting.

    Args:
        statistics: What librdkafka tells.
        silent_s: Seconds for which a broker that was asked something may say nothing.
    """
    connected = [broker for broker in statistics["brokers"].values() if broker["state"] == "UP"]
    if not connected:
        return "no broker is connected"
    if all(one["waitresp_cnt"] > 0 and one["rxidle"] > silent_s * _MICROSECONDS for one in connected):
        return "no broker answers"
    return None
