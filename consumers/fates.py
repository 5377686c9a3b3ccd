"""What becomes of a batch when Postgres or Kafka says no: one place that knows both libraries."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
from confluent_kafka import KafkaError, KafkaException
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from config.errors import Unavailable


class TryAgain(Exception):
    """The transaction lost a race that a repetition settles: a deadlock, a serialisation, a new key."""


class Fenced(Exception):
    """Somebody else has moved a partition on: what was read ahead is dropped, the table is read again."""


class PostgresUnavailable(Unavailable):
    """Postgres is away, locked, full or read-only; its breaker counts this."""


class KafkaUnavailable(Unavailable):
    """Kafka does not answer or acknowledge; Postgres' breaker does not count this."""


_TRY_AGAIN: Final = frozenset({"40001", "40P01"})  # serialization_failure, deadlock_detected
_UNAVAILABLE_CLASSES: Final = ("08", "53", "57", "58")  # connection, resources, intervention, system
_UNAVAILABLE: Final = frozenset(
    {
        "25006",  # read_only_sql_transaction: a replica, or a disk that filled up
        "25P03",  # idle_in_transaction_session_timeout
        "25P04",  # transaction_timeout
        "55P03",  # lock_not_available: lock_timeout
        "28000",  # invalid_authorization: a role that is being rotated
        "28P01",  # invalid_password, likewise
        "3D000",  # invalid_catalog_name: a database that is being restored
    }
)


def fate_of(error: psycopg.Error) -> type[TryAgain] | type[PostgresUnavailable] | None:
    """Say what becomes of the batch; None means data or our own bug: nothing is committed, it crashes.

    Source: PostgreSQL manual, appendix A. psycopg's parent classes mislead here and there, so the
    SQLSTATE decides; errors without one come from the client's side of the connection.
    """
    code = error.sqlstate
    if code is None:
        return PostgresUnavailable if isinstance(error, psycopg.OperationalError) else None
    if code in _TRY_AGAIN:
        return TryAgain
    if code in _UNAVAILABLE or code.startswith(_UNAVAILABLE_CLASSES):
        return PostgresUnavailable
    return None


@contextmanager
def postgres_errors() -> Iterator[None]:
    """Turn what psycopg and its pool raise into fates; the message names the state, never a value."""
    try:
        yield
    except PoolTimeout as error:
        raise PostgresUnavailable("no connection from the pool in time") from error
    except (TooManyRequests, PoolClosed) as error:
        raise PostgresUnavailable(f"the pool refuses: {type(error).__name__}") from error
    except psycopg.Error as error:
        fate = fate_of(error)
        if fate is None:
            raise
        raise fate(f"{type(error).__name__} ({error.sqlstate or 'connection'})") from error


@contextmanager
def kafka_errors() -> Iterator[None]:
    """Turn Kafka's passing errors into KafkaUnavailable; fatal ones are raised as they are."""
    try:
        yield
    except TimeoutError as error:
        raise KafkaUnavailable("Kafka did not answer in time") from error
    except KafkaException as error:
        cause = error.args[0]
        if isinstance(cause, KafkaError) and cause.fatal():
            raise
        raise KafkaUnavailable(f"Kafka: {cause.str() if isinstance(cause, KafkaError) else cause}") from error
