"""A batch's transaction up to the fence: begun with its time-outs, and rows in its own staging table.

Client data is awaited here and nowhere else, while nothing that others need is locked.
"""

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from time import perf_counter
from typing import Any

from psycopg import Connection
from psycopg_pool import ConnectionPool

from config import metrics
from consumers import statements
from consumers.rows import COPY_BEGIN, COPY_END


def begun(
    stack: ExitStack, pool: ConnectionPool, timeouts: Mapping[str, str], wait_s: float | None = None
) -> Connection[Any]:
    """Begin a transaction on a pooled connection; leaving the stack commits it, or rolls it back.

    Args:
        stack: To be left when all is done.
        pool: Of the connections.
        timeouts: The transaction's, as `statements.timeouts` words them.
        wait_s: For a connection; the pool's own time by default.
    """
    connection = stack.enter_context(pool.connection(wait_s))
    stack.enter_context(connection.transaction())
    connection.execute(statements.SET_TIMEOUTS, timeouts)
    return connection


def copy_rows(connection: Connection[Any], rows: Iterable[bytes]) -> None:
    """Stage rows, each as COPY takes it."""
    begun_s = perf_counter()
    with connection.cursor().copy(statements.COPY_STAGE) as copy:
        copy.write(b"".join([COPY_BEGIN, *rows, COPY_END]))
    metrics.SINK_BATCH.labels(stage="copy").observe(perf_counter() - begun_s)
