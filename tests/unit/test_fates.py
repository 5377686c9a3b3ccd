"""What Postgres and Kafka say, and what becomes of the batch: a table by SQLSTATE."""

from collections.abc import Callable

import psycopg
import pytest
from confluent_kafka import KafkaError, KafkaException
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from config.errors import ExitCode, Unavailable
from consumers.fates import (
    Fenced,
    KafkaUnavailable,
    PostgresUnavailable,
    TryAgain,
    fate_of,
    kafka_errors,
    postgres_errors,
)

TRIED_AGAIN = ("40001", "40P01")
AWAY = (
    *("08000", "08001", "08003", "08004", "08006", "08P01"),
    *("53000", "53100", "53200", "53300"),
    *("57000", "57014", "57P01", "57P02", "57P03", "57P05"),
    *("58000", "58030"),
    *("25006", "25P03", "25P04", "55P03", "28000", "28P01", "3D000"),
)
A_BUG_OR_DATA = (
    *("22001", "22003", "22021", "22P02", "22P03", "22P05", "23502", "23505", "23514"),
    *("25001", "25P02", "26000", "40000", "42501", "42601", "42703", "42804", "42P01"),
    *("54000", "54001", "54023", "55000", "55006", "P0001", "XX000", "XX001"),
)


def error_with(code: str) -> psycopg.Error:
    """What psycopg raises for an SQLSTATE; its own class where it has one."""
    try:
        return psycopg.errors.lookup(code)("a row with secrets")
    except KeyError:
        error = psycopg.DatabaseError("a row with secrets")
        error.sqlstate = code
        return error


@pytest.mark.parametrize(
    ("code", "fate"),
    [
        *((code, TryAgain) for code in TRIED_AGAIN),
        *((code, PostgresUnavailable) for code in AWAY),
        *((code, None) for code in A_BUG_OR_DATA),
    ],
)
def test_the_sqlstate_decides(code: str, fate: type[Exception] | None) -> None:
    """The parent classes of psycopg mislead: 54xxx is an OperationalError, 25006 an InternalError."""
    error = error_with(code)
    assert error.sqlstate == code
    assert fate_of(error) is fate
    with pytest.raises(fate or type(error)) as raised, postgres_errors():
        raise error
    if fate is not None:
        assert code in str(raised.value)
        assert "secret" not in str(raised.value)


@pytest.mark.parametrize("kind", [psycopg.OperationalError, psycopg.errors.ConnectionTimeout])
def test_a_connection_that_breaks_has_no_sqlstate_and_is_an_outage(kind: type[psycopg.Error]) -> None:
    with pytest.raises(PostgresUnavailable, match="connection"), postgres_errors():
        raise kind("server closed the connection unexpectedly")


@pytest.mark.parametrize(
    "kind", [psycopg.InterfaceError, psycopg.DataError, psycopg.ProgrammingError, psycopg.NotSupportedError]
)
def test_other_errors_of_the_client_are_bugs(kind: type[psycopg.Error]) -> None:
    with pytest.raises(kind), postgres_errors():
        raise kind("ours")


@pytest.mark.parametrize("kind", [PoolTimeout, TooManyRequests, PoolClosed])
def test_a_pool_without_a_connection_is_an_outage(kind: type[psycopg.Error]) -> None:
    with pytest.raises(PostgresUnavailable, match="pool"), postgres_errors():
        raise kind("no")


def test_what_is_not_of_postgres_passes() -> None:
    with pytest.raises(Fenced), postgres_errors():
        raise Fenced("moved on")
    with pytest.raises(ZeroDivisionError), postgres_errors():
        raise ZeroDivisionError


def kafka_raises(code: int, *, fatal: bool = False) -> Callable[[], None]:
    def fails() -> None:
        raise KafkaException(KafkaError(code, fatal=fatal))

    return fails


@pytest.mark.parametrize("code", [KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._ALL_BROKERS_DOWN])
def test_a_passing_error_of_kafka_is_an_outage_that_postgres_breaker_does_not_count(code: int) -> None:
    with pytest.raises(KafkaUnavailable) as raised, kafka_errors():
        kafka_raises(code)()
    assert not isinstance(raised.value, PostgresUnavailable)


def test_a_fatal_error_of_kafka_ends_the_process() -> None:
    with pytest.raises(KafkaException), kafka_errors():
        kafka_raises(KafkaError._FATAL, fatal=True)()


def test_outages_share_the_exit_code_of_what_cannot_be_reached() -> None:
    for kind in (PostgresUnavailable, KafkaUnavailable):
        assert issubclass(kind, Unavailable)
        assert kind.exit_code is ExitCode.UNREACHABLE
    assert not issubclass(TryAgain, Unavailable)
    assert not issubclass(Fenced, Unavailable)
