"""A run: several connections send trials and compare each answer with its model."""

import asyncio
import itertools
import random
from collections import Counter
from collections.abc import Callable, Iterable
from typing import NamedTuple

from tests.fuzz.trials import Trial, trial
from tests.hostile import CLOSED

_ANSWER_S = 15.0
_TRIES = 3
_BUG = 500
_UNAVAILABLE = 503
_LEFT = -1
"""For a status: no answer in time."""


class Finding(NamedTuple):
    """An answer that its model does not allow."""

    number: int
    trial: Trial
    status: int


class Run:
    """Trials of one seed against one relay.

    Args:
        port: Where it listens on 127.0.0.1.
        seed: Says which requests.
        on_answer: Called after each, with how many there were.
    """

    def __init__(self, port: int, seed: int, on_answer: Callable[[int], None] = lambda _: None) -> None:
        self._port, self._seed, self._on_answer = port, seed, on_answer
        self.answered = 0
        self.findings: list[Finding] = []
        self.statuses: Counter[tuple[str, int]] = Counter()

    @property
    def server_errors(self) -> int:
        """Answers that blame the relay; 503 is only a wish to come again."""
        return sum(n for (_, status), n in self.statuses.items() if status >= _BUG and status != _UNAVAILABLE)

    async def send(self, numbers: Iterable[int], connections: int) -> None:
        """Send trials of these numbers, each connection one after the other."""
        shared = iter(numbers)
        await asyncio.gather(*(self._connection(shared) for _ in range(connections)))

    async def _connection(self, numbers: Iterable[int]) -> None:
        wire = _Wire(self._port)
        for number in numbers:
            one = trial(self._seed, number)
            try:
                status = await asyncio.wait_for(wire.ask(one, random.Random(number)), _ANSWER_S)
            except TimeoutError:
                status = _LEFT
                wire.close()
            self.statuses[one.kind, status] += 1
            if status not in one.statuses:
                self.findings.append(Finding(number, one, status))
            self.answered += 1
            self._on_answer(self.answered)
        wire.close()


class _Wire:
    """One connection at a time, opened again when it is of no more use."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._pair: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    def close(self) -> None:
        if self._pair is not None:
            self._pair[1].close()
            self._pair = None

    async def ask(self, one: Trial, chance: random.Random) -> int:
        """The status of the first answer.

        A well-framed request is tried again where the connection ends: between two requests a server may
        end it, and asyncio may lose an answer that comes before all is sent.
        """
        if not one.is_framed:
            self.close()
            return await self._once(one, chance)
        for _ in range(_TRIES):
            if (status := await self._once(one, chance)) != CLOSED:
                break
        return status

    async def _once(self, one: Trial, chance: random.Random) -> int:
        if self._pair is None:
            self._pair = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._pair
        status, goes_on = CLOSED, False
        try:
            for piece in _pieces(one.wire, chance):
                writer.write(piece)
                await writer.drain()
            if CLOSED in one.statuses:
                writer.write_eof()  # so that nobody waits for the rest of what has none
            status, goes_on = await _answer(reader, one.method)
        except (OSError, asyncio.IncompleteReadError):
            pass
        if not (goes_on and one.is_framed):
            self.close()
        return status


def _pieces(wire: bytes, chance: random.Random) -> list[bytes]:
    """All at once mostly, and sometimes cut anywhere."""
    cuts = sorted(chance.randint(0, len(wire)) for _ in range(chance.choice([0, 0, 0, 1, 3])))
    return [wire[start:end] for start, end in itertools.pairwise([0, *cuts, len(wire)])]


async def _answer(reader: asyncio.StreamReader, method: bytes) -> tuple[int, bool]:
    """Status, and whether the connection goes on; an answer has to be whole."""
    status = 100
    while status < 200:  # an interim answer comes before the real one
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower().split("\r\n")
        status = int(head[0].split(" ")[1])
    headers = dict(line.split(": ", 1) for line in head[1:-2])
    length = 0 if method == b"HEAD" else int(headers.get("content-length", 0))
    await reader.readexactly(length)
    return status, headers.get("connection") != "close"
