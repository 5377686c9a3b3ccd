"""What becomes of a batch when Postgres or Kafka says no: one place that knows both libraries."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
from confluent_kafka import KafkaError, KafkaException
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from config.errors import Poison, Unavailable


class TryAgain(Exception):
    """The transaction lost a race that a repetition settles: a deadlock, a serialisation, a new key."""


class Fenced(Exception):
    """Somebody else has moved a partition on: what was read ahead is dropped, the table is read again."""


class PostgresUnavailable(Unavailable):
    """Postgres is away, locked, full or read-only; its breaker counts this."""


class TookTooLong(PostgresUnavailable):
    """A statement ran into its time-out: half the rows may do; one row alone says that Postgres is ill."""


class KafkaUnavailable(Unavailable):
    """Kafka does not answer or acknowledge; Postgres' breaker does not count this."""


REJECTED: Final = "rejected"
"""The reason of a dead letter that Postgres did not take, as its neighbours were taken."""
Fate = type[Poison | TryAgain | PostgresUnavailable] | None
"""None is a bug, of ours or of whoever wrote a trigger: nothing is committed, the process ends loudly."""

SQLSTATES: Final[dict[str, Fate]] = {
    # Whole classes by their two letters, and single states that are unlike the rest of their class.
    "00": None,  # successful completion
    "01": None,  # warning
    "02": None,  # no data
    "03": None,  # SQL statement not yet complete
    "08": PostgresUnavailable,  # connection exception; poolers report what ails them as 08P01
    "09": None,  # triggered action exception
    "0A": None,  # feature not supported
    "0B": None,  # invalid transaction initiation
    "0F": None,  # locator exception
    "0L": None,  # invalid grantor
    "0P": None,  # invalid role specification
    "0Z": None,  # diagnostics exception
    "10": None,  # XQuery error
    "20": None,  # case not found
    "21": None,  # cardinality violation: an upsert that meets a key twice is ours
    "22": Poison,  # data exception
    "22P04": None,  # bad_copy_file_format: the rows that we build are wrong, not the data in them
    "23": Poison,  # integrity constraint violation
    "24": None,  # invalid cursor state
    "25": None,  # invalid transaction state
    "25006": PostgresUnavailable,  # read_only_sql_transaction: a replica, or a disk that filled up
    "25P03": PostgresUnavailable,  # idle_in_transaction_session_timeout
    "25P04": PostgresUnavailable,  # transaction_timeout
    "26": None,  # invalid SQL statement name
    "27": None,  # triggered data change violation
    "28": PostgresUnavailable,  # invalid authorization: a role or a password that is being rotated
    "2B": None,  # dependent privilege descriptors still exist
    "2D": None,  # invalid transaction termination
    "2F": None,  # SQL routine exception
    "34": None,  # invalid cursor name
    "38": None,  # external routine exception
    "39": None,  # external routine invocation exception
    "3B": None,  # savepoint exception
    "3D": PostgresUnavailable,  # invalid catalog name: a database that is being restored
    "3F": None,  # invalid schema name
    "40": None,  # transaction rollback, of no known cause
    "40001": TryAgain,  # serialization_failure
    "40003": PostgresUnavailable,  # statement_completion_unknown: the table knows
    "40P01": TryAgain,  # deadlock_detected
    "42": None,  # syntax error or access rule violation
    "44": Poison,  # WITH CHECK OPTION violation
    "53": PostgresUnavailable,  # insufficient resources: disk, memory, connections
    "54": None,  # program limit exceeded by what we ask
    "54000": Poison,  # program_limit_exceeded by a value: a key too long for its index
    "54001": Poison,  # statement_too_complex: a value nested too deep
    "55": None,  # object not in prerequisite state
    "55P03": PostgresUnavailable,  # lock_not_available: lock_timeout
    "57": PostgresUnavailable,  # operator intervention: shut down, starting up, dropped
    "57014": TookTooLong,  # query_canceled: statement_timeout, or an operator who cancels
    "58": PostgresUnavailable,  # system error: I/O, files
    "72": TryAgain,  # snapshot too old
    "F0": None,  # configuration file error
    "HV": None,  # foreign data wrapper error
    "P0": None,  # PL/pgSQL error: a trigger that is broken itself
    "P0001": Poison,  # raise_exception: a trigger that refuses a row
    "XX": None,  # internal error, corruption: nothing that a sink should write on
}
"""Source: PostgreSQL 18 manual, appendix A. What is not listed, such as a trigger's own code, is a bug."""

_KAFKA_BUGS: Final = frozenset(
    {
        # What no waiting mends, and what must never pass for an outage.
        KafkaError._BAD_MSG,  # noqa: SLF001 - a checksum is wrong: to go on would be to drop records
        KafkaError._BAD_COMPRESSION,  # noqa: SLF001 - likewise
        KafkaError._INCONSISTENT,  # noqa: SLF001 - librdkafka's names begin like this
        KafkaError._INVALID_ARG,  # noqa: SLF001
        KafkaError._INVALID_TYPE,  # noqa: SLF001
        KafkaError._NOT_CONFIGURED,  # noqa: SLF001
        KafkaError._NOT_IMPLEMENTED,  # noqa: SLF001
        KafkaError._UNSUPPORTED_FEATURE,  # noqa: SLF001
        KafkaError._FATAL,  # noqa: SLF001
        KafkaError.INVALID_MSG,  # CORRUPT_MESSAGE in Kafka's own list
        KafkaError.MSG_SIZE_TOO_LARGE,
        KafkaError.RECORD_LIST_TOO_LARGE,
        KafkaError.INVALID_REQUIRED_ACKS,
        KafkaError.INVALID_GROUP_ID,
        KafkaError.INVALID_SESSION_TIMEOUT,
        KafkaError.INCONSISTENT_GROUP_PROTOCOL,
        KafkaError.INVALID_RECORD,
        KafkaError.INVALID_REQUEST,
        KafkaError.INVALID_CONFIG,
        KafkaError.INVALID_TIMESTAMP,
        KafkaError.TOPIC_EXCEPTION,  # INVALID_TOPIC_EXCEPTION: a name that can't be
        KafkaError.UNSUPPORTED_VERSION,
        KafkaError.UNSUPPORTED_SASL_MECHANISM,
        KafkaError.UNSUPPORTED_COMPRESSION_TYPE,
        KafkaError.UNSUPPORTED_FOR_MESSAGE_FORMAT,
        KafkaError.UNSUPPORTED_ASSIGNOR,
    }
)


def fate_of(error: psycopg.Error) -> Fate:
    """Say what becomes of the batch; None means a bug: nothing is committed, it crashes.

    psycopg's parent classes mislead here and there, so the SQLSTATE decides. An error without one
    comes from the client's side: the connection broke, or a value can't even be sent.
    """
    code = error.sqlstate
    if code is not None:
        return SQLSTATES.get(code, SQLSTATES.get(code[:2]))
    if isinstance(error, psycopg.OperationalError):
        return PostgresUnavailable
    return Poison if isinstance(error, psycopg.DataError) else None


def is_passing(error: KafkaError) -> bool:
    """Whether waiting may mend what Kafka said; none of its errors is ever a reason to park a record.

    Source: librdkafka's rd_kafka_resp_err_t and Kafka's protocol error codes. Missing rights count as
    passing, as a role that is being rotated does in Postgres.
    """
    return not error.fatal() and error.code() not in _KAFKA_BUGS


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
        if issubclass(fate, Poison):
            raise fate(REJECTED, _told(error)) from None  # its detail is the row
        raise fate(_told(error)) from error


def _told(error: psycopg.Error) -> str:
    """The state, and the names of what refused; a message or a detail may hold values."""
    diagnosed = error.diag
    names = {"constraint": diagnosed.constraint_name, "column": diagnosed.column_name}
    where = "".join(f", {what} {name}" for what, name in names.items() if name)
    return f"{type(error).__name__} ({error.sqlstate or 'connection'}){where}"


@contextmanager
def kafka_errors() -> Iterator[None]:
    """Turn Kafka's passing errors into KafkaUnavailable; the others are raised as they are."""
    try:
        yield
    except TimeoutError as error:
        raise KafkaUnavailable("Kafka did not answer in time") from error
    except KafkaException as error:
        cause = error.args[0]
        if isinstance(cause, KafkaError) and not is_passing(cause):
            raise
        raise KafkaUnavailable(f"Kafka: {cause.str() if isinstance(cause, KafkaError) else cause}") from error
