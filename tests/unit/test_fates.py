"""What Postgres and Kafka say, and what becomes of the batch: a table by SQLSTATE."""

from collections.abc import Callable

import psycopg
import pytest
from confluent_kafka import KafkaError, KafkaException
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from config.errors import ExitCode, Poison, Unavailable
from consumers.fates import (
    SQLSTATES,
    Fenced,
    KafkaUnavailable,
    PostgresUnavailable,
    TookTooLong,
    TryAgain,
    fate_of,
    is_passing,
    kafka_errors,
    postgres_errors,
)

TRIED_AGAIN = ("40001", "40P01", "72000")
AWAY = (
    *("08000", "08001", "08003", "08004", "08006", "08P01", "40003"),
    *("53000", "53100", "53200", "53300"),
    *("57000", "57P01", "57P02", "57P03", "57P05"),
    *("58000", "58030"),
    *("25006", "25P03", "25P04", "55P03", "28000", "28P01", "3D000"),
)
DATA = (
    *("22001", "22003", "22021", "22P02", "22P03", "22P05", "23502", "23503", "23505", "23514", "23P01"),
    *("44000", "54000", "54001", "P0001"),
)
A_BUG = (
    *("21000", "22P04", "25001", "25P02", "26000", "40000", "42501", "42601", "42703", "42804", "42P01"),
    *("54011", "54023", "55000", "55006", "P0002", "P0004", "XX000", "XX001", "ZZ999"),
)
OF_THE_MANUAL = {code[:2] for code in psycopg.errors._sqlcodes if len(code) == 5 and code[2:3].isdigit()}
"""The classes of appendix A, as psycopg's generated list has them; their names stand in it too."""


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
        ("57014", TookTooLong),
        *((code, Poison) for code in DATA),
        *((code, None) for code in A_BUG),
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


def test_every_class_of_the_manual_has_a_fate() -> None:
    assert OF_THE_MANUAL - SQLSTATES.keys() == set()
    assert {"22", "23", "40", "57"} <= OF_THE_MANUAL


def test_what_single_states_say_is_told_of_states_that_there_are() -> None:
    """A typing error in the table would never be found otherwise."""
    single = {code for code in SQLSTATES if len(code) > 2}
    assert single - set(psycopg.errors._sqlcodes) == set()


def test_a_value_that_cannot_even_be_sent_is_data() -> None:
    with pytest.raises(Poison, match="rejected: DataError"), postgres_errors():
        raise psycopg.DataError("PostgreSQL text fields cannot contain NUL (0x00) bytes")


@pytest.mark.parametrize("kind", [psycopg.OperationalError, psycopg.errors.ConnectionTimeout])
def test_a_connection_that_breaks_has_no_sqlstate_and_is_an_outage(kind: type[psycopg.Error]) -> None:
    with pytest.raises(PostgresUnavailable, match="connection"), postgres_errors():
        raise kind("server closed the connection unexpectedly")


@pytest.mark.parametrize(
    "kind", [psycopg.InterfaceError, psycopg.ProgrammingError, psycopg.NotSupportedError]
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


KAFKA_CODES = {
    code: name for name in dir(KafkaError) if isinstance(code := getattr(KafkaError, name), int) and code
}


def kafka_raises(code: int, *, fatal: bool = False) -> Callable[[], None]:
    def fails() -> None:
        raise KafkaException(KafkaError(code, fatal=fatal))

    return fails


@pytest.mark.parametrize("code", [KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._ALL_BROKERS_DOWN])
def test_a_passing_error_of_kafka_is_an_outage_that_postgres_breaker_does_not_count(code: int) -> None:
    with pytest.raises(KafkaUnavailable) as raised, kafka_errors():
        kafka_raises(code)()
    assert not isinstance(raised.value, PostgresUnavailable)


@pytest.mark.parametrize("code", sorted(KAFKA_CODES), ids=lambda code: KAFKA_CODES[code])
def test_no_error_of_kafka_is_poison(code: int) -> None:
    """Each one waits, or ends the process: what Kafka says is never a reason to park a record."""
    with pytest.raises((KafkaUnavailable, KafkaException)) as raised, kafka_errors():
        kafka_raises(code)()
    assert isinstance(raised.value, KafkaUnavailable) is is_passing(KafkaError(code))


@pytest.mark.parametrize(
    "code", [KafkaError._BAD_MSG, KafkaError.INVALID_MSG, KafkaError.MSG_SIZE_TOO_LARGE, KafkaError._FATAL]
)
def test_what_no_waiting_mends_does_not_pass_for_an_outage(code: int) -> None:
    assert not is_passing(KafkaError(code))


def test_a_fatal_error_of_kafka_ends_the_process() -> None:
    with pytest.raises(KafkaException), kafka_errors():
        kafka_raises(KafkaError._FATAL, fatal=True)()


def test_outages_share_the_exit_code_of_what_cannot_be_reached() -> None:
    for kind in (PostgresUnavailable, KafkaUnavailable):
        assert issubclass(kind, Unavailable)
        assert kind.exit_code is ExitCode.UNREACHABLE
    assert not issubclass(TryAgain, Unavailable)
    assert not issubclass(Fenced, Unavailable)
