"""The wire between a client and Kafka, to be broken: every broker behind a proxy that follows its protocol.

Kafka tells its clients where each broker listens, so a plain proxy is left at the first answer. These put
their own port in the place of the broker's wherever an answer names it: host and port stand side by side in
all of them (kafka.apache.org/protocol: Metadata, FindCoordinator, DescribeCluster).
"""

import asyncio
import struct
from collections.abc import Mapping
from contextlib import ExitStack
from typing import Final, Self

from tests.proxy import Link, Proxy, Way

_HOST: Final = b"127.0.0.1"
PRODUCE: Final = 0
OFFSET_COMMIT: Final = 8
FETCH: Final = 1
_METADATA: Final = 3
_BROKERS_AT: Final = 9
_BATCH_HEAD_BYTES: Final = 61
_MAGIC: Final = 2


class KafkaProxy(Proxy):
    """Before one broker.

    Args:
        host: The broker's.
        port: The broker's.
        renamed: What stands for what in its answers; may be filled later.
    """

    def __init__(self, host: str, port: int, renamed: Mapping[bytes, bytes]) -> None:
        self._renamed, self._spoil = renamed, 0
        self.swallowed: frozenset[int] = frozenset()
        """Keys of requests that never arrive, such as `PRODUCE`."""
        self.brokerless = False
        """Whether answers about topics name no broker, as a broker's may while it starts or stops."""
        super().__init__(host, port)

    def spoil(self, batches: int) -> None:
        """Flip a bit in this many of the record batches that are fetched from now on."""
        self._spoil = batches

    @property
    def unspoiled(self) -> int:
        """How many of them are still to come."""
        return self._spoil

    def heal(self) -> None:
        self._spoil, self.swallowed, self.brokerless = 0, frozenset(), False
        super().heal()

    async def _next(self, link: Link, way: Way, source: asyncio.StreamReader) -> bytes:
        """One whole message: its length, and so much."""
        while True:
            head = await source.readexactly(4)
            body = await source.readexactly(int.from_bytes(head))
            if way == "back":
                answer = self._answer(link, body)
                return len(answer).to_bytes(4) + answer
            key, _, number = struct.unpack_from(">hhi", body)
            if key in (FETCH, _METADATA):
                link.notes[number] = key
            if key not in self.swallowed:
                return head + body

    def _answer(self, link: Link, body: bytes) -> bytes:
        (number,) = struct.unpack_from(">i", body)
        asked = link.notes.pop(number, None)
        if asked == FETCH:
            return self._spoiled(body) if self._spoil else body
        if asked == _METADATA and self.brokerless:
            return without_brokers(body)
        for broker, ours in self._renamed.items():
            body = body.replace(broker, ours)
        return body

    def _spoiled(self, answer: bytes) -> bytes:
        if (last := last_byte_of_a_batch(answer)) is None:
            return answer
        self._spoil -= 1
        return answer[:last] + bytes([answer[last] ^ 1]) + answer[last + 1 :]


def last_byte_of_a_batch(answer: bytes) -> int | None:
    """Where the first record batch of a Fetch answer ends; None if it holds none.

    A batch is known by its head: base offset, length, leader epoch, the magic 2, how far its last offset is
    from its first, and a count of records, one more as these topics are not compacted
    (kafka.apache.org/documentation, "Record Batch").
    """
    for start in range(len(answer) - _BATCH_HEAD_BYTES + 1):
        if answer[start + 16] != _MAGIC:
            continue
        offset, length = struct.unpack_from(">qi", answer, start)
        (to_last,) = struct.unpack_from(">i", answer, start + 23)
        (count,) = struct.unpack_from(">i", answer, start + 57)
        end: int = start + 12 + length
        fits = length > _BATCH_HEAD_BYTES - 12 and end <= len(answer)
        if fits and 0 <= offset < 2**40 and 0 < count < length and to_last == count - 1:
            return end - 1
    return None


def without_brokers(answer: bytes) -> bytes:
    """The same Metadata answer with an empty list of brokers (versions 9 to 13, the compact ones).

    Correlation id, tags and throttle time take 9 bytes; then comes one more than the count of brokers, and
    each with id, host, port, rack and tags. A text's length is told plus one, and 0 stands for none.
    """
    at = _BROKERS_AT + 1
    for _ in range(answer[_BROKERS_AT] - 1):
        at += 4
        at += answer[at] + 4
        at += max(1, answer[at]) + 1
    return answer[:_BROKERS_AT] + b"\x01" + answer[at:]


class KafkaWire:
    """The way of some clients to all brokers of a cluster; ends with its block."""

    def __init__(self, bootstrap_servers: str) -> None:
        self._stack = ExitStack()
        renamed: dict[bytes, bytes] = {}
        self.proxies: list[KafkaProxy] = []
        for server in bootstrap_servers.split(","):
            host, _, port = server.partition(":")
            proxy = self._stack.enter_context(KafkaProxy(host, int(port), renamed))
            renamed[_HOST + int(port).to_bytes(4)] = _HOST + proxy.port.to_bytes(4)
            self.proxies.append(proxy)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    @property
    def bootstrap_servers(self) -> str:
        """What its clients are given."""
        return ",".join(f"127.0.0.1:{proxy.port}" for proxy in self.proxies)
