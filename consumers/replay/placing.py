"""Which partitions can hold a user's records: one, unless partitions were added since the oldest of them."""

from typing import Any, Final

from psycopg import Connection

from consumers import statements
from consumers.fates import postgres_errors
from consumers.replay.order import Range, Ranges
from consumers.replay.origin import Origin

_OLDEST: Final = 100
"""Records of each partition that are looked at."""
_SEED, _M, _32_BITS = 0x9747B28C, 0x5BD1E995, 0xFFFFFFFF


def murmur2(key: bytes) -> int:
    """The hash by which Java's clients, and ours, choose a partition (Kafka's `Utils.murmur2`), 32 bits."""
    h = _SEED ^ len(key)
    whole = len(key) & ~3
    for i in range(0, whole, 4):
        k = int.from_bytes(key[i : i + 4], "little") * _M & _32_BITS
        k = (k ^ k >> 24) * _M & _32_BITS
        h = h * _M & _32_BITS ^ k
    if rest := key[whole:]:
        h = (h ^ int.from_bytes(rest, "little")) * _M & _32_BITS
    h = (h ^ h >> 13) * _M & _32_BITS
    return h ^ h >> 15


def partition_of(key: bytes, partitions: int) -> int:
    """The partition that a key goes to."""
    return (murmur2(key) & 0x7FFFFFFF) % partitions


def of_user(origin: Origin, connection: Connection[Any], ranges: Ranges, user: str) -> Ranges:
    """The ranges that can hold the user's records.

    That is one partition. It is all of them where partitions were added: Kafka keeps no note of that, but
    the oldest records are where the former count has put them, and so may be the user's own rows.
    """
    held = origin.held
    home = partition_of(user.encode(), len(held.end))
    with postgres_errors():
        asked = {"user_id": user, "topic_id": held.topic_id}
        seen = {number for (number,) in connection.execute(statements.READ_USERS_PARTITIONS, asked)}
    if seen - {home} or _added(origin):
        return ranges
    return {home: ranges[home]}


def _added(origin: Origin) -> bool:
    held = origin.held
    oldest = {n: Range(first, min(first + _OLDEST, held.end[n])) for n, first in held.first.items()}
    with origin.reading(oldest) as reading:
        while records := reading.read(_OLDEST):
            for partition, _, _, message in records:
                key = message.key()
                if isinstance(key, bytes) and key and partition_of(key, len(held.end)) != partition:
                    return True
    return False
