"""An outage says the same several times a second; the log says it once a minute."""

from confluent_kafka import KafkaError
from structlog.testing import capture_logs

from consumers.client_errors import ClientErrors
from tests.frozen_clock import FrozenClock

DOWN, TRANSPORT = KafkaError(KafkaError._ALL_BROKERS_DOWN), KafkaError(KafkaError._TRANSPORT)


def test_each_kind_of_error_is_told_once_a_minute() -> None:
    clock = FrozenClock()
    tell = ClientErrors(clock)
    with capture_logs() as told:
        for _ in range(3):
            tell(DOWN)
            tell(TRANSPORT)
        clock.pass_s(59)
        tell(DOWN)
        clock.pass_s(1)
        tell(DOWN)
    assert [line["problem"] for line in told] == ["_ALL_BROKERS_DOWN", "_TRANSPORT", "_ALL_BROKERS_DOWN"]
