"""Transactions that lose a race to others: a deadlock, a serialisation failure, a state that moved on."""

from collections.abc import Callable
from typing import TypeVar

import stamina

from consumers.fates import PostgresUnavailable, TryAgain

T = TypeVar("T")


def tried_again(work: Callable[[], T]) -> T:
    """Do it, again where a race was lost.

    Raises:
        PostgresUnavailable: It was lost again and again.
    """
    try:
        for attempt in stamina.retry_context(on=TryAgain, attempts=5, timeout=20, wait_initial=0.02):
            with attempt:
                return work()
    except TryAgain as error:
        raise PostgresUnavailable(f"the same race was lost again and again: {error}") from error
    raise AssertionError("a retry context ends by returning or raising")
