"""A message is asked for its headers once, whoever wants them first: a second call may end the process."""

from collections.abc import Callable
from itertools import permutations
from typing import Any

import msgspec
import pytest

from config.errors import Poison
from consumers import tracing
from consumers.batch import Headers, Read
from tests.crafted import EVENT
from tests.reads import read


class AskedOnce:
    """Answers its first question alone, as a message of confluent-kafka 2.15.1 whose header is no UTF-8."""

    def __init__(self, headers: Headers | None) -> None:
        self._headers, self._asked = headers, False

    def headers(self) -> Headers:
        """Tell them, or raise as the binding does."""
        assert not self._asked
        self._asked = True
        if self._headers is None:
            raise SystemError("<method 'headers'> returned a result with an exception set")
        return self._headers

    def key(self) -> bytes:
        """Tell any."""
        return b"u-1"

    def value(self) -> bytes:
        """Tell any."""
        return b"value"


def park(read: Read) -> Any:
    """What a record's dead letter would have of them."""
    return read.unstorable(Poison("REJECTED", "")).headers


USERS: list[Callable[[Read], Any]] = [tracing.published, park]


@pytest.mark.parametrize("order", list(permutations(USERS)), ids=["spans first", "dead letter first"])
@pytest.mark.parametrize("headers", [None, [("traceparent", b"00-1-1-01"), ("a", None)]])
def test_the_message_is_asked_once(order: list[Callable[[Read], Any]], headers: Headers | None) -> None:
    record = msgspec.structs.replace(read(EVENT, 0), message=AskedOnce(headers))
    answers = {user: user(record) for user in order}
    assert answers == {tracing.published: None, park: headers or []}
